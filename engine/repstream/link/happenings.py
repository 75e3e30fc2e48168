"""What a change means to people who read the log, by group; most changes mean nothing to them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from repstream.parameters.catalogue import Group, key_of
from repstream.parameters.facts import Value
from repstream.parameters.output_status import Losses, OutputStatus, StreamStatus
from repstream.parameters.status import EngineStatus, SourceStatus
from repstream.parameters.writer_status import AcquisitionStatus, WriterStatus
from repstream.states import (
    RepeaterState,
    has_failed,
    has_no_file,
    is_aborted,
    is_flushing,
    is_in_error,
    is_unknown,
)


class Line(NamedTuple):
    """A line for the log; `level` is info, warning or error; `acquisition_id` is empty for none.

    `logged`: the engine logs it itself when it happens, also if it happens twice. `loss`: it says how many
    were lost by now, so the next one says it too.
    """

    level: str
    text: str
    acquisition_id: str = ""
    logged: bool = False
    loss: bool = False


LOSSES = ("missing", "malformed", "dropped")
"""The fields that a line with `loss` is made of."""


class _Writer(AcquisitionStatus, WriterStatus):
    """A writer and its newest acquisition."""


def happened(group: str, slot: int, now: Mapping[str, Value], was: Mapping[str, Value]) -> Iterator[Line]:
    """The lines for a change of a group (and slot), from all values now and before, by key.

    A value that is not known is None or absent; that alone is no line.
    """
    if group in _GROUPS:
        model, lines = _GROUPS[group]
        keys = {field: key_of(group, slot, field) for field in model.model_fields}
        yield from lines(*(model.of({f: v.get(key) for f, key in keys.items()}) for v in (now, was)))


def _engine(now: EngineStatus, was: EngineStatus) -> Iterator[Line]:
    if now.state != was.state:
        bad = is_in_error(now.state) or is_unknown(now.state)
        yield Line("error" if bad else "info", f"{was.state or RepeaterState.UNKNOWN} → {now.state}")
    if is_unknown(now.state):
        return  # nothing else is known
    if now.last_error and now.last_error != was.last_error:
        yield Line("error", now.last_error, logged=True)
    if now.last_command and now.last_command != was.last_command:
        refused = "refused" in now.last_command
        text = f"{now.last_command}, by {now.last_command_by}"
        yield Line("warning" if refused else "info", text, logged=True)
    if bool(now.losing) != bool(was.losing):
        lost = Line("warning", "losing frames")
        yield lost if now.losing else Line("info", "no frame was lost in the last 5 s")
    if (now.locked_by or "") != (was.locked_by or ""):
        yield Line("info", f"control lock: {now.locked_by}" if now.locked_by else "control lock released")


def _source(now: SourceStatus, was: SourceStatus) -> Iterator[Line]:
    if None not in (now.connected, was.connected) and now.connected != was.connected:
        yield (
            Line("info", "a detector is connected")
            if now.connected
            else Line("warning", "no detector is connected")
        )
    if _rose(now.missing, was.missing):
        yield _loss(f"{_number(now.missing, 'frame')} missing since the start")
    if _rose(now.malformed, was.malformed):
        text = f"{_number(now.malformed, 'message')} malformed since the start"
        yield _loss(text, now.malformed_reasons)._replace(logged=True)


def _losses(now: Losses, was: Losses) -> Iterator[Line]:
    if _rose(now.dropped, was.dropped):
        yield _loss(f"{_number(now.dropped, 'frame')} dropped", now.dropped_reasons)


def _loss(text: str, reasons: str | None = "") -> Line:
    return Line("warning", ": ".join(filter(None, (text, reasons))), loss=True)


def _writer(now: _Writer, was: _Writer) -> Iterator[Line]:
    for line in _of_writer(now, was):
        yield line._replace(acquisition_id=now.acquisition_id or "")


def _of_writer(now: _Writer, was: _Writer) -> Iterator[Line]:
    yield from _losses(now, was)
    if now.acq_state and now.acq_state != was.acq_state and not has_no_file(now.acq_state):
        failed = has_failed(now.acq_state) and not is_aborted(now.acq_result)
        words = (now.acq_state, now.full_file_name, now.acq_message)
        yield Line("error" if failed else "info", " ".join(word for word in words if word))
    if now.waiting and now.waiting != was.waiting:
        flushing = is_flushing(now.acq_state)
        yield Line("info" if flushing else "warning", now.waiting)
    if now.space_warning and now.space_warning != was.space_warning:
        yield Line("warning", now.space_warning, logged=True)


_GROUPS: Mapping[str, tuple[type[Any], Callable[[Any, Any], Iterator[Line]]]] = {
    Group.ENGINE: (EngineStatus, _engine),
    Group.SOURCE: (SourceStatus, _source),
    Group.STREAM: (StreamStatus, _losses),
    Group.WRITER: (_Writer, _writer),
}

OUTPUT_RATES = frozenset(n for n, field in OutputStatus.model_fields.items() if field.annotation is float)
"""The names of what every output shows as it is now, not counted: its rates, and how full its queue is."""


def _number(value: int, thing: str) -> str:
    return f"{value} {thing}" if value == 1 else f"{value} {thing}s"


def _rose(value: int | None, was: int | None) -> bool:
    return value is not None and value > (was or 0)
