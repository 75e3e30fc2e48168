"""What an acquisition waits for, since when, and how much is left: for people, and in parts. Pure."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Literal

import msgspec

from repstream import states
from repstream.parameters.status import SourceStatus
from repstream.parameters.writer import WriterConfig
from repstream.parameters.writer_status import AcquisitionStatus, WriterStatus

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


class Now(msgspec.Struct, frozen=True):
    """A writer now: its settings, and what it says about itself and its two acquisitions.

    `since_start`: seconds since the newest one was started.
    """

    config: WriterConfig
    writer: WriterStatus
    newest: AcquisitionStatus
    previous: AcquisitionStatus
    since_start: float = 0.0


def wait_of(
    now: Now, source: SourceStatus, blocking: Sequence[str], time: float, quiet: float | None
) -> Wait:
    """What the newest acquisition of a writer waits for.

    `blocking`: the outputs that hold up the input, by name; `time` in Unix seconds. `quiet`: seconds since
    the last frame, None before the first.
    """
    writer, newest = now.writer, now.newest
    state = newest.acq_state
    disk_wait = silent_disk(writer, newest, now.since_start)
    if states.is_flushing(state):
        return Wait("disk", None, f"{amount_left(newest.left, newest.left_time)}{_silent(disk_wait)}")
    if states.has_no_file(state) and disk_wait >= PATIENCE:
        text = f"{newest.full_file_name} is not made yet, {_queue(writer)}{_silent(disk_wait)}"
        return Wait("disk", time - disk_wait, text)
    if not states.takes_images(state):
        return NOTHING
    if disk_wait >= PATIENCE:
        return Wait("disk", time - disk_wait, f"{_queue(writer)}{_silent(disk_wait)}")
    if writer.gate == "shut":
        return _gate(now)
    last = source.last_frame_time
    if quiet is not None and quiet < PATIENCE:
        return _selection(now)
    if blocking:
        return Wait("stream", last, f"held up by {', '.join(blocking)}; {_quiet(writer, source)}")
    return Wait("source", newest.start_time if last is None else last, _quiet(writer, source))


def silent_disk(writer: WriterStatus, newest: AcquisitionStatus, since_start: float) -> float:
    """Seconds for which a writer's disk has not answered, also while its file is still to be made.

    `since_start`: seconds since its newest acquisition was started.
    """
    making = states.has_no_file(newest.acq_state) and states.is_writing(writer.state)
    return since_start if making else writer.disk_wait or 0.0


def still_written(previous: AcquisitionStatus) -> str:
    """That the acquisition before the newest one is not closed yet; empty where it is."""
    if not states.is_flushing(previous.acq_state):
        return ""
    left = amount_left(previous.left, previous.left_time)
    return f"{previous.full_file_name} is still being written, {left}"


def amount_left(frames: int, seconds: float | None) -> str:
    """``412 frames left, about 3 s``."""
    time = f", about {max(1, round(seconds))} s" if seconds is not None and frames else ""
    return f"{frames} frame{'' if frames == 1 else 's'} left{time}"


def time_left(frames: int, rate: float | None) -> float | None:
    """Seconds until these frames are gone at `rate` per second; None if unknown."""
    if not frames:
        return 0.0
    return round(frames / rate, 1) if rate else None


def space_warning(writer: WriterStatus, newest: AcquisitionStatus, free: float | None) -> str:
    """What is wrong with the free space (GB) for what an acquisition still wants; empty if it will do."""
    written, requested = newest.num_written, newest.num_requested
    if free is None:
        return ""
    if written and requested > written:
        still = requested - written
        needed = still * newest.file_size / written / 1e9
        if needed > free:
            return f"the {still} images still to come need {needed:.2f} GB, {free:.2f} GB are free"
    if free >= SPACE:
        return ""
    rate = (writer.throughput or 0.0) / 1e3
    until = f", full in about {free / rate:.0f} s" if rate > 0 else ""
    return f"{free:.2f} GB are free{until}"


def clock(time: float) -> str:
    """Local time of day for people."""
    return datetime.datetime.fromtimestamp(time).strftime("%H:%M:%S")


def _gate(now: Now) -> Wait:
    if now.config.follow_series:
        return Wait("trigger", None, "armed, begins when the detector starts a series")
    if trigger := now.config.trigger_attribute:
        return Wait("trigger", None, f"armed, begins when {trigger} comes or at a start{_kept(now.writer)}")
    return Wait("gate", None, f"armed, the gate is shut: start opens it{_kept(now.writer)}")


def _kept(writer: WriterStatus) -> str:
    return f"; {writer.kept} frames kept" if writer.kept else ""


def _selection(now: Now) -> Wait:
    """Frames come; is there one for the file?"""
    if now.newest.num_written or now.writer.queued or not now.writer.offered:
        return NOTHING
    reasons = [text for text in (now.writer.skipped_reasons, now.newest.dropped_reasons) if text]
    if not reasons:
        return NOTHING
    return Wait("selection", None, f"frames come, but none for the file: {', '.join(reasons)}")


def _quiet(writer: WriterStatus, source: SourceStatus) -> str:
    link = "connected" if source.connected else source.link_problem or "not connected"
    came = "no frame yet"
    if source.other:
        came += f", but messages without an image ({source.other_kinds})"
    if source.last_frame_time is not None:
        came = f"no frames since {clock(source.last_frame_time)}, last id {source.last_frame_id}"
    disk = f", disk {writer.disk_rate:.0f} MB/s" if writer.disk_rate else ""
    return f"{came}, source {link}, {_queue(writer)}{disk}"


def _queue(writer: WriterStatus) -> str:
    queued = (writer.queued or 0) - (writer.kept or 0)
    spilled = f", {writer.spilled} of them spilled" if writer.spilled else ""
    return f"{queued} frames in the queue ({writer.queue_use:.0f} %{spilled})" if queued else "queue empty"


def _silent(seconds: float) -> str:
    return f", the disk has not answered for {seconds:.0f} s" if seconds >= PATIENCE else ""
