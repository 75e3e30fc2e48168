"""What an acquisition waits for, since when, and how much is left: for people, and in parts. Pure."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from repstream.parameters.facts import Value
from repstream.parameters.status import PREVIOUS
from repstream.states import AcquisitionState, WriterState

PATIENCE = 2.0
"""Seconds without a frame, or without an answer of the disk, after which that is worth a word."""

SPACE = 10.0
"""GB of free space below which a writer warns."""

Reason = Literal["nothing", "gate", "trigger", "source", "stream", "disk", "selection"]


class Wait(msgspec.Struct, frozen=True):
    """`reason`: where it stalls; `since` in Unix seconds, None where unknown; `text`: a sentence."""

    reason: Reason = "nothing"
    since: float | None = None
    text: str = ""


NOTHING = Wait()


def wait_of(
    writer: Mapping[str, Value],
    source: Mapping[str, Value],
    blocking: Sequence[str],
    now: float,
) -> Wait:
    """What the acquisition of a writer waits for.

    `writer`, `source`: the values of these groups by field; `blocking`: the outputs that hold up
    the input, by name; `now` in Unix seconds.
    """
    state = writer["acq_state"]
    disk_wait = silent_disk(writer, now)
    if state == AcquisitionState.FLUSHING_IMAGES:
        left = amount_left(int(_number(writer["left"])), writer["left_time"])
        return Wait("disk", None, f"{left}{_silent(disk_wait)}")
    if state == AcquisitionState.NONE and disk_wait >= PATIENCE:
        text = f"{writer['full_file_name']} is not made yet, {_queue(writer)}{_silent(disk_wait)}"
        return Wait("disk", now - disk_wait, text)
    if state not in (AcquisitionState.WAITING_IMAGES, AcquisitionState.ACQUIRING_IMAGES):
        return NOTHING
    if disk_wait >= PATIENCE:
        return Wait("disk", now - disk_wait, f"{_queue(writer)}{_silent(disk_wait)}")
    if writer["gate"] == "shut":
        return _gate(writer)
    last = source["last_frame_time"]
    if isinstance(last, float) and now - last < PATIENCE:
        return _selection(writer)
    if blocking:
        held = f"held up by {', '.join(blocking)}; {_quiet(writer, source, last)}"
        return Wait("stream", last if isinstance(last, float) else None, held)
    since = last if isinstance(last, float) else writer["start_time"]
    return Wait("source", since if isinstance(since, float) else None, _quiet(writer, source, last))


def silent_disk(writer: Mapping[str, Value], now: float) -> float:
    """Seconds for which a writer's disk has not answered, also while its file is still to be made."""
    begun = writer["start_time"]
    making = writer["acq_state"] == AcquisitionState.NONE and writer["state"] == WriterState.WRITING
    return now - begun if making and isinstance(begun, float) else _number(writer["disk_wait"])


def still_written(writer: Mapping[str, Value]) -> str:
    """That the acquisition before the newest one is not closed yet; empty where it is."""
    if writer[f"{PREVIOUS}acq_state"] != AcquisitionState.FLUSHING_IMAGES:
        return ""
    left = amount_left(int(_number(writer[f"{PREVIOUS}left"])), writer[f"{PREVIOUS}left_time"])
    return f"{writer[f'{PREVIOUS}full_file_name']} is still being written, {left}"


def amount_left(frames: int, seconds: Value) -> str:
    """``412 frames left, about 3 s``."""
    time = f", about {max(1, round(seconds))} s" if isinstance(seconds, int | float) and frames else ""
    return f"{frames} frames left{time}"


def time_left(frames: int, rate: Value) -> float | None:
    """Seconds until these frames are gone at `rate` per second; None if unknown."""
    if not frames:
        return 0.0
    return round(frames / rate, 1) if isinstance(rate, int | float) and rate > 0 else None


def space_warning(writer: Mapping[str, Value], free: float | None) -> str:
    """What is wrong with the free space (GB) for what an acquisition still wants; empty if it will do."""
    written, requested = int(_number(writer["num_written"])), int(_number(writer["num_requested"]))
    if free is None:
        return ""
    if written and requested > written:
        still = requested - written
        needed = still * _number(writer["file_size"]) / written / 1e9
        if needed > free:
            return f"the {still} images still to come need {needed:.2f} GB, {free:.2f} GB are free"
    if free >= SPACE:
        return ""
    rate = _number(writer["throughput"]) / 1e3
    until = f", full in about {free / rate:.0f} s" if rate > 0 else ""
    return f"{free:.2f} GB are free{until}"


def clock(time: float) -> str:
    """Local time of day for people."""
    return datetime.datetime.fromtimestamp(time).strftime("%H:%M:%S")


def _gate(writer: Mapping[str, Value]) -> Wait:
    if writer["follow_series"]:
        return Wait("trigger", None, "armed, begins when the detector starts a series")
    if trigger := writer["trigger_attribute"]:
        return Wait("trigger", None, f"armed, begins when {trigger} comes or at a start{_kept(writer)}")
    return Wait("gate", None, f"armed, the gate is shut: start opens it{_kept(writer)}")


def _kept(writer: Mapping[str, Value]) -> str:
    return f"; {writer['kept']} frames kept" if writer["kept"] else ""


def _selection(writer: Mapping[str, Value]) -> Wait:
    """Frames come; is there one for the file?"""
    if writer["num_written"] or writer["queued"] or not writer["offered"]:
        return NOTHING
    reasons = [str(writer[name]) for name in ("skipped_reasons", "dropped_reasons") if writer[name]]
    if not reasons:
        return NOTHING
    return Wait("selection", None, f"frames come, but none for the file: {', '.join(reasons)}")


def _quiet(writer: Mapping[str, Value], source: Mapping[str, Value], last: Value) -> str:
    link = "connected" if source["connected"] else source["link_problem"] or "not connected"
    came = "no frame yet"
    if source["other"]:
        came += f", but messages without an image ({source['other_kinds']})"
    if isinstance(last, float):
        came = f"no frames since {clock(last)}, last id {source['last_frame_id']}"
    rate = _number(writer["disk_rate"])
    disk = f", disk {rate:.0f} MB/s" if rate else ""
    return f"{came}, source {link}, {_queue(writer)}{disk}"


def _queue(writer: Mapping[str, Value]) -> str:
    queued = int(_number(writer["queued"])) - int(_number(writer["kept"]))
    spilled = f", {writer['spilled']} of them spilled" if writer["spilled"] else ""
    use = f"({_number(writer['queue_use']):.0f} %{spilled})"
    return f"{queued} frames in the queue {use}" if queued else "queue empty"


def _silent(seconds: float) -> str:
    return f", the disk has not answered for {seconds:.0f} s" if seconds >= PATIENCE else ""


def _number(value: Value) -> float:
    return value if isinstance(value, int | float) else 0.0
