"""`repstream cameras`, `repstream pipelines`: what a camera server or a pipeline server runs."""

from __future__ import annotations

import json
import urllib.parse
import urllib.request
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import typer

from repstream import web_client
from repstream_cli.exits import Exit

Kind = Literal["camera", "pipeline"]
PREFIXES: Mapping[Kind, str] = {"camera": "/api/v1/cam", "pipeline": "/api/v1/pipeline"}
SERVERS: Mapping[Kind, str] = {"camera": "http://127.0.0.1:8888", "pipeline": "http://127.0.0.1:8889"}
PATIENCE = 30.0
"""Seconds for an answer: to start a camera over EPICS may take some."""

Address = Annotated[str, typer.Option("--server", "-s", help="Address of the server.")]
Name = Annotated[str, typer.Argument(help="Name of the instance.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print all that is known.")]
Assignments = Annotated[
    list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Keys to change at once.")
]

COLUMNS = ("name", "stream", "clients", "received", "sent", "size", "lost", "problem")


class Server:
    """A camera server or a pipeline server, by its REST interface."""

    def __init__(self, kind: Kind, address: str) -> None:
        self.kind = kind
        self.address = address.rstrip("/")
        self.prefix = PREFIXES[kind]

    def ask(self, path: str, method: str = "GET", body: Any = None) -> dict[str, Any]:
        """The answer; ends the program with the server's reason where it refuses."""
        data = None if body is None else json.dumps(body).encode()
        asked = urllib.request.Request(
            self.address + path, data, {"Content-Type": "application/json"}, method=method
        )
        try:
            with web_client.opened(asked, PATIENCE) as answer:
                found: dict[str, Any] = json.load(answer)
        except (OSError, ValueError) as error:
            place = web_client.shown(self.address)
            typer.echo(f"no {self.kind} server answers at {place}: {web_client.reason(error)}", err=True)
            raise typer.Exit(Exit.NOTHING) from error
        if found.get("state") != "ok":
            typer.echo(str(found.get("status")), err=True)
            raise typer.Exit(Exit.FAULTS)
        return found

    def of(self, name: str, rest: str = "") -> str:
        """The path of a running instance, or of a camera."""
        between = "/instance/" if self.kind == "pipeline" else "/"
        return f"{self.prefix}{between}{urllib.parse.quote(name, safe='')}{rest}"


def rows(instances: Mapping[str, Mapping[str, Any]]) -> list[dict[str, str]]:
    """What is shown of each instance, as text by column."""
    return [
        {
            "name": name,
            "stream": str(info["stream_address"]),
            "clients": str(info["statistics"]["clients"]),
            "received": str(info["statistics"]["rx"] or "-"),
            "sent": str(info["statistics"]["tx"] or "-"),
            "size": str(info["statistics"]["frame_shape"] or "-"),
            "lost": str(sum(info["statistics"].get("lost", {}).values())),
            "problem": str(info.get("message") or ""),
        }
        for name, info in sorted(instances.items())
    ]


def changes(assignments: list[str]) -> dict[str, Any]:
    """``KEY=VALUE`` as keys and values, which are JSON where they can be, else text."""
    found: dict[str, Any] = {}
    for assignment in assignments:
        key, equals, value = assignment.partition("=")
        if not key or not equals:
            raise typer.BadParameter(f"{assignment!r} is not of the form KEY=VALUE")
        try:
            found[key] = json.loads(value)
        except ValueError:
            found[key] = value
    return found


def group(kind: Kind) -> typer.Typer:
    """The commands for the instances of a kind."""
    app = typer.Typer(name=f"{kind}s", no_args_is_help=True, add_completion=False)
    usual = SERVERS[kind]

    @app.callback()
    def of() -> None:
        pass

    of.__doc__ = (
        f"List, start, change and stop {kind}s of a {kind} server; read their logs.\n\n"
        f"Where the server has HTTPS, {web_client.CA_VARIABLE} in the environment names the file of its CA; "
        f"where it has tokens, {web_client.TOKEN_VARIABLE} holds one."
    )

    @app.command("list")
    def listed(
        server: Address = usual,
        as_json: AsJson = False,
    ) -> None:
        """List those that run: stream, clients, rates and counts, losses, and what is wrong.

        Exit codes: 0 all well, 1 one has a problem, 2 wrong usage, 3 no server answers.
        """
        instances = Server(kind, server).ask(f"{PREFIXES[kind]}/info")["info"]["active_instances"]
        if as_json:
            typer.echo(json.dumps(instances, indent=2))
        else:
            _print(rows(instances))
        if any(info.get("message") for info in instances.values()):
            raise typer.Exit(Exit.FAULTS)

    @app.command()
    def start(name: Name, server: Address = usual) -> None:
        """Start it if it does not run, and print the address of its stream."""
        asked = Server(kind, server)
        typer.echo(asked.ask(asked.of(name))["stream"])

    @app.command()
    def stop(name: Name, server: Address = usual) -> None:
        """Stop it, if it runs."""
        asked = Server(kind, server)
        asked.ask(f"{asked.prefix}/{urllib.parse.quote(name, safe='')}", "DELETE")

    @app.command()
    def config(
        name: Name,
        assignments: Assignments = None,
        server: Address = usual,
    ) -> None:
        """Print the configuration, changed first where keys are given; values are JSON or text."""
        asked = Server(kind, server)
        path = asked.of(name, "/config")
        if change := changes(assignments or []):
            # A camera takes a whole configuration, which is saved too; a running pipeline a part of one.
            body = change if kind == "pipeline" else asked.ask(path)["config"] | change
            asked.ask(path, "POST", body)
        typer.echo(json.dumps(asked.ask(path)["config"], indent=2))

    @app.command()
    def log(name: Name, server: Address = usual) -> None:
        """Print the last lines of its log, also after its end."""
        path = f"/api/v1/logs/instance/{urllib.parse.quote(name, safe='')}"
        for line in Server(kind, server).ask(path)["logs"]:
            typer.echo(" - ".join(line))

    return app


def _print(table: list[dict[str, str]]) -> None:
    widths = {column: max([len(column), *(len(row[column]) for row in table)]) for column in COLUMNS}
    for row in [dict(zip(COLUMNS, COLUMNS, strict=True)), *table]:
        typer.echo("  ".join(row[column].ljust(widths[column]) for column in COLUMNS).rstrip())


cameras = group("camera")
pipelines = group("pipeline")
