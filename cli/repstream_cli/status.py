"""`repstream status`: one look at an engine, or at several."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, NoReturn

import typer

from repstream.errors import EngineUnreachable
from repstream.link.attach import DEFAULT_ADDRESS, addresses_of
from repstream.link.remote import RemoteEngine
from repstream.parameters.catalogue import Catalogue, Group, readable_time
from repstream.parameters.facts import Value
from repstream.parameters.output_status import OutputStatus, StreamStatus
from repstream.parameters.source import SourceConfig
from repstream.parameters.status import EngineStatus, SourceStatus
from repstream.parameters.stream import StreamConfig
from repstream.parameters.writer import WriterConfig
from repstream.parameters.writer_status import NEWEST, AcquisitionStatus, WriterStatus
from repstream.states import is_in_error
from repstream_cli import status_table
from repstream_cli.exits import Exit

Values = Mapping[str, Value]


def status(
    address: Annotated[
        list[str] | None,
        typer.Option(
            "--address",
            "-a",
            envvar="REPSTREAM_ENGINES",
            help="The engine's address; repeat it, also as name=address, for a table of several.",
            show_default=DEFAULT_ADDRESS,
        ),
    ] = None,
    key: Annotated[str, typer.Option(envvar="REPSTREAM_KEY", help="Key of the engine's address.")] = "",
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds to wait for an answer.")] = 3,
    as_json: Annotated[bool, typer.Option("--json", help="Print every value as JSON.")] = False,
) -> None:
    """Show the state of an engine, its streams and its writers; of several engines a table.

    Exit codes: 0 all well, 1 in ERROR or losing frames, 2 wrong usage,
    3 an engine did not answer.

    [bold]Example[/bold]

      repstream status -a north=tcp://north:9600 -a south=tcp://south:9600
    """
    addresses = _addresses(address or [DEFAULT_ADDRESS])
    if len(addresses) == 1:
        _show_one(next(iter(addresses.values())), key, timeout, as_json)
    try:
        seen = status_table.look(addresses, key, timeout)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--address") from error
    shown = json.dumps([each.as_dict() for each in seen], indent=2) if as_json else ""
    typer.echo(shown or "\n".join(status_table.lines(seen)))
    if not all(each.reachable for each in seen):
        raise typer.Exit(Exit.NOTHING)
    raise typer.Exit(Exit.OK if all(each.is_well for each in seen) else Exit.FAULTS)


def _addresses(given: Sequence[str]) -> Mapping[str, str]:
    """Addresses by name; one without a name has its host and port for it."""
    for each in given:
        if "=" not in each and "://" not in each:
            raise typer.BadParameter(
                f"{each!r} is no address; one is tcp://host:9600", param_hint="--address"
            )
    named = [each if "=" in each else f"{each.rpartition('/')[2]}={each}" for each in given]
    try:
        return addresses_of(named)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--address") from error


def _show_one(address: str, key: str, timeout: float, as_json: bool) -> NoReturn:
    """All of one engine; ends with the exit code."""
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
    state = EngineStatus.of(catalogue.fields(values, Group.ENGINE))
    bad = is_in_error(state.state) or state.losing
    raise typer.Exit(Exit.FAULTS if bad else Exit.OK)


def lines(values: Values, catalogue: Catalogue) -> list[str]:
    """The engine in a few lines."""
    engine = EngineStatus.of(catalogue.fields(values, Group.ENGINE))
    fields = catalogue.fields(values, Group.SOURCE)
    config, source = SourceConfig.of(fields), SourceStatus.of(fields)
    found = [
        f"{engine.name}: {engine.state}{', losing frames' if engine.losing else ''}",
        f"  {engine.status}",
        f"  source {config.address} ({config.mode}, {'connected' if source.connected else 'not connected'}): "
        f"received {source.received}, {number(source.rate)} Hz, missing {source.missing}, "
        f"malformed {source.malformed}",
    ]
    if engine.last_error:
        found.append(f"  last error, {readable_time(engine.last_error_time)}: {engine.last_error}")
    if source.last_frame_time:
        found.append(f"  last frame {source.last_frame_id}, {readable_time(source.last_frame_time)}")
    for group, line in ((Group.STREAM, stream), (Group.WRITER, writer)):
        for slot in catalogue.slots(group):
            fields = catalogue.fields(values, group, slot)
            if OutputStatus.of(fields).name:
                found += line(fields)
    return found


def stream(fields: Values) -> list[str]:
    """A stream, from its values by field."""
    config, status = StreamConfig.of(fields), StreamStatus.of(fields)
    return [
        f"  stream {status.name} at {config.address} ({config.mode}, {config.policy}): sent {status.sent}, "
        f"{number(status.rate)} Hz, dropped {status.dropped}, clients {status.clients}"
    ]


def writer(fields: Values) -> list[str]:
    """A writer and its newest acquisition, from its values by field."""
    config, status = WriterConfig.of(fields), WriterStatus.of(fields)
    newest = AcquisitionStatus.of(fields, NEWEST.prefix)
    found = [
        f"  writer {status.name}: {status.state}, last start {status.start_result}, "
        f"next file {config.output_file or '(none set)'}"
    ]
    if newest.acquisition_id:
        found.append(
            f"    {newest.full_file_name}: {newest.acq_state}, {newest.num_written} of "
            f"{newest.num_requested or 'any number of'} images, dropped {newest.dropped}, "
            f"{readable_time(newest.start_time)} to {readable_time(newest.stop_time) or 'now'}"
            + (f"; {newest.acq_message}" if newest.acq_message else "")
        )
    return found


def number(value: float | None) -> str:
    """A number with one decimal place; ``-`` for none."""
    return "-" if value is None else f"{value:.1f}"
