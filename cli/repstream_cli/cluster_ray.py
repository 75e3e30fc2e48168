"""`repstream cluster ray`: let Ray place engines on hosts, and restart them."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sysconfig
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from repstream import private_file
from repstream.cluster.launcher import Placed, Wanted
from repstream.errors import RepstreamError
from repstream_cli.exits import Exit

if TYPE_CHECKING:
    from repstream.cluster.ray_launcher import RayLauncher  # an extra

ray = typer.Typer(
    name="ray",
    help="Let Ray place engines on hosts, and restart them (extra cluster).",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
)

STORE_BYTES = 80 << 20
"""Memory of Ray's own store on a host, as little as it takes: no frame is ever in it."""

Token = Annotated[
    Path,
    typer.Option(
        envvar="REPSTREAM_RAY_TOKEN",
        help="File with the secret of the cluster, the same on all hosts.",
        show_default="~/.ray/auth_token",
    ),
]
Offers = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME[=AMOUNT]", help="What this host offers, such as disk:nvme; repeat it."),
]
Address = Annotated[str, typer.Option(help="host:port of the cluster; auto: the one that this host is in.")]
Timeout = Annotated[float, typer.Option(min=1, help="Seconds to wait for an answer.")]
TOKEN = Path("~/.ray/auth_token")


@ray.callback()
def _of() -> None:
    """Let Ray place engines on hosts, and restart them."""


@ray.command()
def start(host: str, port: int = 6379, offers: Offers = None, token: Token = TOKEN) -> None:
    """Begin a cluster: this host, which others reach as HOST, is its head. Makes the token if there is none.

    [bold]Example[/bold]

      repstream cluster ray start 10.0.0.5 --offers detector:eiger
    """
    token = token.expanduser()
    if not token.exists():
        private_file.write(token, secrets.token_hex(32).encode())
    head = ("--head", "--port", str(port), "--include-dashboard", "false", "--disable-usage-stats")
    _ray(token, "start", "--node-ip-address", host, *head, *_offered(offers))
    typer.echo(f"on other hosts, with {token} there: repstream cluster ray join {host}:{port}")


@ray.command()
def join(address: str, host: str, offers: Offers = None, token: Token = TOKEN) -> None:
    """Let this host, which others reach as HOST, take part in the cluster at ADDRESS.

    [bold]Example[/bold]

      repstream cluster ray join 10.0.0.5:6379 10.0.0.6 --offers disk:nvme=2
    """
    where = ("--address", address, "--node-ip-address", host)
    _ray(token, "start", *where, "--disable-usage-stats", *_offered(offers))


@ray.command()
def leave(token: Token = TOKEN) -> None:
    """Take this host out of its cluster; its engines are placed elsewhere, those of the head end."""
    _ray(token, "stop")


@ray.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def place(
    context: typer.Context,
    name: str,
    *,
    needs: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME[=AMOUNT]", help="What its host must offer; repeat it."),
    ] = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Where it answers on its host.")] = 9600,
    patience: Annotated[
        float, typer.Option(min=0, help="Seconds that it goes on while Ray does not answer.")
    ] = 60,
    timeout: Timeout = 60,
    address: Address = "auto",
    token: Token = TOKEN,
) -> None:
    """Start an engine on a host that has what it needs; what follows are options of repstream serve.

    Give it --settings in a folder that all such hosts see: started anew elsewhere, it goes on with these.

    [bold]Example[/bold]

      repstream cluster ray place north --needs disk:nvme --root /data --settings /data/north.json --start
    """
    options = (*context.args, "--no-tango", "--no-epics", "--no-http")
    wanted = Wanted(name, port, options, _amounts(needs, "--needs"), patience)
    with _launcher(address, token) as launcher:
        typer.echo(line(launcher.start(wanted, timeout)))


@ray.command()
def status(
    *,
    timeout: Timeout = 5,
    address: Address = "auto",
    token: Token = TOKEN,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
    engines: Annotated[
        bool, typer.Option("--engines", help="Print NAME=ADDRESS of each, for REPSTREAM_ENGINES.")
    ] = False,
) -> None:
    """Show where each engine is, and since when.

    Exit codes: 0 all have their host, 1 one is being placed anew or there is no cluster, 2 wrong usage.
    """
    with _launcher(address, token) as launcher:
        placed = launcher.engines(timeout)
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(placed)).decode())
    elif engines:
        typer.echo(" ".join(f"{each.name}={each.address}" for each in placed if each.address))
    else:
        typer.echo("\n".join(map(line, placed)) or "no engines")
    raise typer.Exit(Exit.OK if all(each.address for each in placed) else Exit.FAULTS)


@ray.command()
def remove(name: str, timeout: Timeout = 60, address: Address = "auto", token: Token = TOKEN) -> None:
    """End an engine in good order: its acquisitions end as interrupted, and it is not restarted."""
    with _launcher(address, token) as launcher:
        launcher.stop(name, timeout)


def line(placed: Placed) -> str:
    """An engine in a line."""
    if not placed.address:
        return f"{placed.name}: BEING PLACED; it does not answer yet"
    since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(placed.since))
    return f"{placed.name} at {placed.address} on {placed.host} since {since}"


@contextmanager
def _launcher(address: str, token: Path) -> Iterator[RayLauncher]:
    os.environ.update(_secured(token))  # before Ray is imported, which looks there once
    try:
        from repstream.cluster.ray_launcher import RayLauncher  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise typer.BadParameter("Ray is not installed: pip install 'repstream[cluster]'") from error
    try:
        launcher = RayLauncher(address)
        try:
            yield launcher
        finally:
            launcher.close()
    except RepstreamError as error:
        typer.echo(f"repstream cluster ray: {error}", err=True)
        raise typer.Exit(Exit.FAULTS) from error


def _secured(token: Path) -> Mapping[str, str]:
    token = token.expanduser()
    if not token.is_file():
        raise typer.BadParameter(f"{token} is not there: copy it from the head's host", param_hint="--token")
    return {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(token)}


def _ray(token: Path, *arguments: str) -> None:
    program = Path(sysconfig.get_path("scripts"), "ray")
    if not program.exists():
        raise typer.BadParameter("Ray is not installed: pip install 'repstream[cluster]'")
    done = subprocess.run([program, *arguments], env={**os.environ, **_secured(token)}, check=False)
    if done.returncode:
        raise typer.Exit(Exit.FAULTS)


def _offered(offers: list[str] | None) -> tuple[str, ...]:
    resources = json.dumps(_amounts(offers, "--offers"))
    return ("--resources", resources, "--object-store-memory", str(STORE_BYTES))


def _amounts(given: list[str] | None, option: str) -> dict[str, float]:
    found = {}
    for each in given or []:
        name, _, amount = each.partition("=")
        try:
            found[name] = float(amount or 1)
        except ValueError as error:
            raise typer.BadParameter(f"{each!r}: {amount!r} is no number", param_hint=option) from error
    return found
