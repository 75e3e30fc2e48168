"""`repstream status`: one look at an engine."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Annotated

import typer

from repstream.errors import EngineUnreachable
from repstream.link.attach import DEFAULT_ADDRESS
from repstream.link.remote import RemoteEngine
from repstream.parameters.catalogue import Catalogue, Group
from repstream.parameters.facts import Value
from repstream_cli.exits import Exit

Values = Mapping[str, Value]


def status(
    address: Annotated[str, typer.Option("--address", "-a", help="The engine's address.")] = DEFAULT_ADDRESS,
    key: Annotated[str, typer.Option(envvar="REPSTREAM_KEY", help="Key of the engine's address.")] = "",
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds to wait for an answer.")] = 3,
    as_json: Annotated[bool, typer.Option("--json", help="Print every value as JSON.")] = False,
) -> None:
    """Show the state of an engine, its streams and its writers.

    Exit codes: 0 all well, 1 in ERROR or losing frames, 2 wrong usage,
    3 no engine answered.
    """
    try:
        engine = RemoteEngine(address, key)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--address") from error
    try:
        engine.wait_connected(timeout)
        values = engine.snapshot().values
        catalogue = engine.catalogue
    except EngineUnreachable as error:
        typer.echo(f"repstream status: {error}", err=True)
        raise typer.Exit(Exit.NOTHING) from error
    finally:
        engine.close()
    typer.echo(json.dumps(values, indent=2) if as_json else "\n".join(lines(values, catalogue)))
    bad = values["engine.state"] == "ERROR" or values["engine.losing"]
    raise typer.Exit(Exit.FAULTS if bad else Exit.OK)


def lines(values: Values, catalogue: Catalogue) -> list[str]:
    """The engine in a few lines."""
    get = values.__getitem__

    def time(key: str) -> str:
        return catalogue.parameters[key].readable(values[key])

    found = [
        f"{get('engine.name')}: {get('engine.state')}{', losing frames' if get('engine.losing') else ''}",
        f"  {get('engine.status')}",
        f"  source {get('source.address')} ({get('source.mode')}, "
        f"{'connected' if get('source.connected') else 'not connected'}): received {get('source.received')}, "
        f"{number(get('source.rate'))} Hz, missing {get('source.missing')}, "
        f"malformed {get('source.malformed')}",
    ]
    if get("engine.last_error"):
        found.append(f"  last error, {time('engine.last_error_time')}: {get('engine.last_error')}")
    if get("source.last_frame_time"):
        found.append(f"  last frame {get('source.last_frame_id')}, {time('source.last_frame_time')}")
    for slot in catalogue.slots(Group.STREAM):
        if get(f"streams.{slot}.name"):
            found.append(stream(values, slot))
    for slot in catalogue.slots(Group.WRITER):
        if get(f"writers.{slot}.name"):
            found.append(writer(values, slot))
            if get(f"writers.{slot}.acquisition_id"):
                found.append(acquisition(values, slot, time))
    return found


def stream(values: Values, slot: int) -> str:
    def get(field: str) -> Value:
        return values[f"streams.{slot}.{field}"]

    return (
        f"  stream {get('name')} at {get('address')} ({get('mode')}, {get('policy')}): sent {get('sent')}, "
        f"{number(get('rate'))} Hz, dropped {get('dropped')}, clients {get('clients')}"
    )


def writer(values: Values, slot: int) -> str:
    def get(field: str) -> Value:
        return values[f"writers.{slot}.{field}"]

    return (
        f"  writer {get('name')}: {get('state')}, last start {get('start_result')}, "
        f"next file {get('output_file') or '(none set)'}"
    )


def acquisition(values: Values, slot: int, time: Callable[[str], str]) -> str:
    """The newest acquisition of a writer; `time` gives the readable text of a time by its key."""

    def get(field: str) -> Value:
        return values[f"writers.{slot}.{field}"]

    end = time(f"writers.{slot}.stop_time")
    return (
        f"    {get('full_file_name')}: {get('acq_state')}, {get('num_written')} of "
        f"{get('num_requested') or 'any number of'} images, dropped {get('dropped')}, "
        f"{time(f'writers.{slot}.start_time')} to {end or 'now'}"
        + (f"; {get('acq_message')}" if get("acq_message") else "")
    )


def number(value: Value) -> str:
    return f"{value:.1f}" if isinstance(value, int | float) else "-"
