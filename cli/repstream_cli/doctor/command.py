"""`repstream doctor`: is this machine ready, and for the planned run?"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated

import typer

from repstream.errors import EngineUnreachable, Refused
from repstream.link.attach import DEFAULT_ADDRESS
from repstream.parameters import storage
from repstream.parameters.configuration import Configuration
from repstream.parameters.first import first_configuration
from repstream.sockets.keys import FOLDER_VARIABLE
from repstream_cli.doctor import running
from repstream_cli.doctor.checks import CHECKS, examine
from repstream_cli.doctor.finding import Finding, Verdict, worst
from repstream_cli.doctor.machine import Machine
from repstream_cli.doctor.plan import PIXEL_BYTES, Plan
from repstream_cli.doctor.site import LOOPBACK, Listener, Secrets, Site
from repstream_cli.exits import Exit
from repstream_cli.ports import host_and_port
from repstream_cli.sizes import size as parse_size
from repstream_http.options import option

MARKS = {Verdict.OK: "ok  ", Verdict.WARN: "WARN", Verdict.FAIL: "FAIL"}

SERVERS = (
    ("the engine", DEFAULT_ADDRESS.rpartition(":")[2], "--engine-address", False),
    ("the Tango server", "9601", "--tango-port", False),
    ("the EPICS server", "5064", "--epics-port", True),
    ("PV Access", "5075", "--pva-port", False),
    ("HTTP", "8000", "--http-port", False),
)
"""The servers of `repstream serve`, their usual ports and the options that name others."""


def doctor(
    *,
    address: Annotated[
        str,
        typer.Option(
            "--address",
            "-a",
            help="Look at this running engine: its folders, detector and clock.",
            show_default="none: look at what is to be started",
        ),
    ] = "",
    key: Annotated[str, typer.Option(envvar="REPSTREAM_KEY", help="Key of the engine's address.")] = "",
    config: Annotated[
        Path | None,
        typer.Option(help="Configuration (JSON) that is to be served.", show_default="that of serve"),
    ] = None,
    root: Annotated[
        list[Path] | None,
        typer.Option(help="Folder for files; may be repeated.", show_default="that of the engine, or ."),
    ] = None,
    host: Annotated[str, typer.Option(help="Address that the servers are to listen on.")] = "127.0.0.1",
    tls_certificate: Annotated[Path | None, option("tls_certificate")] = None,
    tls_key: Annotated[Path | None, option("tls_key")] = None,
    http_tokens: Annotated[Path | None, option("tokens")] = None,
    keys: Annotated[
        Path | None,
        typer.Option(
            envvar=FOLDER_VARIABLE, help="Folder of the keys.", show_default="~/.config/repstream/keys"
        ),
    ] = None,
    size: Annotated[
        str, typer.Option(metavar="HEIGHTxWIDTH", help="Size of an image.", show_default="no run is planned")
    ] = "",
    pixel: Annotated[str, typer.Option(metavar="TYPE", help="Type of a pixel.")] = "uint16",
    rate: Annotated[float, typer.Option(min=0, metavar="HZ", help="Images a second.")] = 0,
    duration: Annotated[float, typer.Option(min=0, metavar="SECONDS", help="How long the run takes.")] = 60,
    pv: Annotated[
        list[str] | None, typer.Option(help="A PV that clients on this machine must find; may be repeated.")
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option(metavar="|".join(CHECKS), help="These checks only; may be repeated.")
    ] = None,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds to wait for each answer.")] = 2,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings are failures.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print all findings as JSON.")] = False,
) -> None:
    """Check this machine, and say what to do about each problem.

    Without --address it looks at what `repstream serve` needs here; with it at a running engine. With --size
    and --rate it also says whether disks, network and memory suffice for such a run, and writes up to 512 MiB
    into each folder to find out (64 MiB without); nothing of that is left.

    Exit codes: 0 all well or warnings only, 1 something fails, 2 wrong usage, 3 no engine answered.

    [bold]Examples[/bold]

      repstream doctor
      repstream doctor --root /data --size 2167x2070 --pixel uint32 --rate 100 --duration 3600
      repstream doctor --address tcp://127.0.0.1:9600 --only storage --json
    """
    if unknown := [name for name in only or () if name not in CHECKS]:
        raise typer.BadParameter(
            f"must be one of {', '.join(CHECKS)}, not {unknown[0]!r}", param_hint="--only"
        )
    plan = planned(size, pixel, rate, duration)
    machine = Machine()
    try:
        if address:
            engine, configuration, roots = running.ask(address, key, timeout, machine)
            listeners: tuple[Listener, ...] = ()
        else:
            configuration = storage.load(config, Configuration) if config else first_configuration()
            engine, roots, listeners = None, (Path.cwd(),), to_listen(host, configuration)
    except EngineUnreachable as error:
        typer.echo(f"repstream doctor: {error}", err=True)
        raise typer.Exit(Exit.NOTHING) from error
    except Refused as error:
        raise typer.BadParameter(str(error), param_hint="--config") from error
    site = Site(
        machine=machine,
        configuration=configuration,
        roots=tuple(root or roots),
        listeners=listeners,
        plan=plan,
        engine=engine,
        pvs=tuple(pv or ()),
        timeout=timeout,
        secrets=Secrets(
            tls_certificate, tls_key, http_tokens, keys, LOOPBACK if address else host, has_token()
        ),
    )
    findings = []
    for finding in examine(site, only or ()):
        findings.append(finding)
        if not as_json:
            typer.echo("\n".join(lines(finding)))
    verdict = worst(findings)
    if as_json:
        typer.echo(json.dumps({"verdict": verdict, "findings": [f.as_dict() for f in findings]}, indent=2))
    else:
        typer.echo(summary(findings))
    bad = verdict is Verdict.FAIL or (strict and verdict is Verdict.WARN)
    raise typer.Exit(Exit.FAULTS if bad else Exit.OK)


def has_token() -> bool:
    """Whether the environment has a token that servers would want."""
    return bool(os.environ.get("REPSTREAM_HTTP_CHANGE_TOKEN") or os.environ.get("REPSTREAM_HTTP_READ_TOKEN"))


def planned(size: str, pixel: str, rate: float, duration: float) -> Plan | None:
    """The planned run; None where none is. Refuses half a plan."""
    if not size and not rate:
        return None
    if not size or not rate:
        raise typer.BadParameter("a planned run needs both", param_hint="--size and --rate")
    if pixel not in PIXEL_BYTES:
        raise typer.BadParameter(
            f"must be one of {', '.join(PIXEL_BYTES)}, not {pixel!r}", param_hint="--pixel"
        )
    return Plan(*parse_size(size), PIXEL_BYTES[pixel], rate, duration)


def to_listen(host: str, configuration: Configuration) -> tuple[Listener, ...]:
    """All that `repstream serve` would listen on."""
    found = [Listener(what, host, int(port), option, udp) for what, port, option, udp in SERVERS]
    for name, stream in configuration.streams.items():
        place = host_and_port(stream.address)
        if place is not None and place[1]:
            found.append(Listener(f"stream {name}", *place, f"streams.{name}.address"))
    return tuple(found)


def lines(finding: Finding) -> list[str]:
    """A finding for people."""
    found = [f"{MARKS[finding.verdict]} {finding.check}: {finding.found}"]
    if finding.advice:
        found.append(f"       {finding.advice}")
    if finding.command:
        found.append(f"       $ {finding.command}")
    return found


def summary(findings: list[Finding]) -> str:
    """The last line."""
    count = {verdict: sum(f.verdict is verdict for f in findings) for verdict in Verdict}
    return f"{count[Verdict.OK]} ok, {count[Verdict.WARN]} warnings, {count[Verdict.FAIL]} failures"
