"""The states of repeater, writer and acquisition, and every way from one to another.

Whatever changes a state looks it up here, and a missing entry *is* the refusal: its text,
Tango's "not allowed", the EPICS severity and the diagrams in the documentation all come from
these tables. Nothing here knows which control system asks.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import TypeVar

from repstream.errors import Refused


class RepeaterState(enum.StrEnum):
    """State of the repeater; the order is that of gf_repstream's numbers."""

    INITIALIZED = "INITIALIZED"
    RUNNING = "RUNNING"
    ERROR = "ERROR"
    STOPPED = "STOPPED"
    UNKNOWN = "UNKNOWN"  # shown while the engine, or the engine's data plane, does not answer


class WriterState(enum.StrEnum):
    """State of a writer."""

    READY = "READY"
    WRITING = "WRITING"
    UNKNOWN = "UNKNOWN"


class AcquisitionState(enum.StrEnum):
    """State of a writer's acquisition; NONE before the first, and until the file of the next is there."""

    NONE = "NONE"
    WAITING_IMAGES = "WAITING_IMAGES"
    ACQUIRING_IMAGES = "ACQUIRING_IMAGES"
    FLUSHING_IMAGES = "FLUSHING_IMAGES"
    FINISHED = "FINISHED"
    FAILED = "FAILED"


class AcquisitionResult(enum.StrEnum):
    """How an acquisition ended; `none` while it has not."""

    NONE = "none"
    COMPLETED = "completed"
    INTERRUPTED = "interrupted"
    ABORTED = "aborted"
    FAILED = "failed"


class StartResult(enum.StrEnum):
    """What became of the last arm or start of a writer, to the end of its acquisition.

    COMPLETED is the only success: all images that were asked for are in the closed file. UNKNOWN means
    that it is not known yet whether the start was accepted.
    """

    NONE = "none"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    FAILED = "failed"
    UNKNOWN = "unknown"
    COMPLETED = "completed"
    INTERRUPTED = "interrupted"
    ABORTED = "aborted"

    @property
    def is_final(self) -> bool:
        """Whether nothing more comes of that start."""
        return self not in {StartResult.ACCEPTED, StartResult.UNKNOWN}


ENDED = frozenset({AcquisitionState.FINISHED, AcquisitionState.FAILED})
"""The file of the acquisition is closed."""

OVER = ENDED | {AcquisitionState.FLUSHING_IMAGES}
"""The acquisition takes no more frames, and the next one may begin."""

_R, _W, _A = RepeaterState, WriterState, AcquisitionState

REPEATER: Mapping[RepeaterState, Mapping[str, RepeaterState]] = {
    _R.INITIALIZED: {
        "initialize": _R.INITIALIZED,
        "configure": _R.INITIALIZED,
        "load_config": _R.INITIALIZED,
        "start": _R.RUNNING,
        "stop": _R.INITIALIZED,
        "reset": _R.INITIALIZED,
        "failed": _R.ERROR,
    },
    _R.RUNNING: {
        "configure": _R.RUNNING,
        "stop": _R.STOPPED,
        "reset": _R.RUNNING,
        "failed": _R.ERROR,
    },
    _R.ERROR: {
        "initialize": _R.INITIALIZED,
        "configure": _R.INITIALIZED,
        "load_config": _R.INITIALIZED,
        "stop": _R.ERROR,
        "reset": _R.INITIALIZED,
        "failed": _R.ERROR,
    },
    _R.STOPPED: {
        "initialize": _R.INITIALIZED,
        "configure": _R.INITIALIZED,
        "load_config": _R.INITIALIZED,
        "start": _R.RUNNING,
        "stop": _R.STOPPED,
        "reset": _R.INITIALIZED,
        "failed": _R.ERROR,
    },
}
"""Repeater: state -> command (or the event `failed`) -> next state."""

ALWAYS_ALLOWED = frozenset({"save_config", "lock", "unlock"})
"""Commands of the engine that neither need a state nor change it."""

WRITER: Mapping[WriterState, Mapping[str, WriterState]] = {
    _W.READY: {
        "arm": _W.WRITING,
        "start": _W.WRITING,
        "pause": _W.READY,
        "stop": _W.READY,
        "abort": _W.READY,
        "lost": _W.UNKNOWN,
    },
    _W.WRITING: {
        "arm": _W.WRITING,  # while all before is only flushed; refused otherwise
        "start": _W.WRITING,  # as arm, or opens the gate of an armed file; refused if it is open
        "pause": _W.WRITING,
        "stop": _W.WRITING,
        "abort": _W.WRITING,
        "flush": _W.WRITING,
        "closed": _W.READY,
        "lost": _W.UNKNOWN,
    },
    _W.UNKNOWN: {
        "stop": _W.READY,
        "found": _W.READY,
        "lost": _W.UNKNOWN,
    },
}
"""Writer: state -> command (or event: `closed` file, `lost` or `found` data plane) -> next state."""

ACQUISITION: Mapping[AcquisitionState, Mapping[str, AcquisitionState]] = {
    _A.NONE: {"begun": _A.NONE, "waiting": _A.WAITING_IMAGES, "failed": _A.FAILED},
    _A.WAITING_IMAGES: {
        "first_image": _A.ACQUIRING_IMAGES,
        "flushing": _A.FLUSHING_IMAGES,
        "finished": _A.FINISHED,
        "failed": _A.FAILED,
    },
    _A.ACQUIRING_IMAGES: {
        "flushing": _A.FLUSHING_IMAGES,
        "finished": _A.FINISHED,
        "failed": _A.FAILED,
    },
    _A.FLUSHING_IMAGES: {
        "begun": _A.NONE,  # the next one; this one goes on as the previous one
        "finished": _A.FINISHED,
        "failed": _A.FAILED,
    },
    _A.FINISHED: {"begun": _A.NONE},
    _A.FAILED: {"begun": _A.NONE},
}
"""Acquisition: state -> event -> next state."""

_S = TypeVar("_S", bound=enum.StrEnum)


def after(table: Mapping[_S, Mapping[str, _S]], state: _S, event: str, subject: str, why: str = "") -> _S:
    """The state that `event` leads to from `state`; raises `Refused` with the states that allow it.

    `why`: what has led to this state, and what leads out of it, for the reason.
    """
    following = table[state].get(event)
    if following is None:
        states = tuple(s.value for s, ways in table.items() if event in ways)
        reason = f"not possible in {state.value}, only in {', '.join(states)}"
        raise Refused(subject, f"{reason}; {why}" if why else reason, states)
    return following


# What a state means. Front ends hold states as text, and None where there is none: each question takes both.


def is_unknown(state: object) -> bool:
    """Whether nothing is known of a repeater or a writer: the engine or its data plane does not answer."""
    return state in (RepeaterState.UNKNOWN, WriterState.UNKNOWN)


def is_open(state: object) -> bool:
    """Whether a repeater's input and outputs are open, so that frames may be on their way."""
    return state == RepeaterState.RUNNING


def is_initialized(state: object) -> bool:
    """Whether a repeater has a checked configuration, and was not started with it yet."""
    return state == RepeaterState.INITIALIZED


def is_stopped(state: object) -> bool:
    """Whether a repeater was stopped, or never configured."""
    return state == RepeaterState.STOPPED


def is_in_error(state: object) -> bool:
    """Whether a repeater has failed, and is to be initialized."""
    return state == RepeaterState.ERROR


def is_ready(state: object) -> bool:
    """Whether a writer has no file open, so that its settings may be written."""
    return state == WriterState.READY


def is_writing(state: object) -> bool:
    """Whether a writer has a file open, or has it made."""
    return state == WriterState.WRITING


def has_no_file(state: object) -> bool:
    """Whether the file of an acquisition is not there yet, or no acquisition has been."""
    return state == AcquisitionState.NONE


def has_no_image(state: object) -> bool:
    """Whether the file of an acquisition waits for its first image."""
    return state == AcquisitionState.WAITING_IMAGES


def has_images(state: object) -> bool:
    """Whether an acquisition has its first image and takes more."""
    return state == AcquisitionState.ACQUIRING_IMAGES


def takes_images(state: object) -> bool:
    """Whether an acquisition has its file and takes images, where its gate lets them through."""
    return has_no_image(state) or has_images(state)


def is_flushing(state: object) -> bool:
    """Whether an acquisition takes no more images and writes what waits."""
    return state == AcquisitionState.FLUSHING_IMAGES


def has_failed(state: object) -> bool:
    """Whether an acquisition has ended without a good file; an abort is among these."""
    return state == AcquisitionState.FAILED


def is_whole(result: AcquisitionResult, written: int, requested: int) -> bool:
    """Whether an acquisition got all that was asked for; an open number (`requested` 0) is any."""
    if is_complete(result):
        return True
    return result is AcquisitionResult.INTERRUPTED and (not requested or written >= requested)


def result_of_start(result: AcquisitionResult, written: int, requested: int) -> StartResult:
    """Result of the start that began an acquisition, once that has ended."""
    if is_whole(result, written, requested):
        return StartResult.COMPLETED
    return StartResult(result.value)


def is_fault(result: object) -> bool:
    """Whether an acquisition ended as nobody wanted it; somebody wanted an abort."""
    return result == AcquisitionResult.FAILED


def is_aborted(result: object) -> bool:
    """Whether somebody wanted what waited to be discarded."""
    return result == AcquisitionResult.ABORTED


def is_complete(result: object) -> bool:
    """Whether all images that were asked for are in the file."""
    return result == AcquisitionResult.COMPLETED


def is_good(result: object) -> bool:
    """Whether all that an acquisition took is in its file, if fewer images than were asked for or not."""
    return is_complete(result) or result == AcquisitionResult.INTERRUPTED


def allowed(table: Mapping[_S, Mapping[str, _S]], state: _S) -> tuple[str, ...]:
    """The commands and events that `table` has for `state`."""
    return tuple(table[state])
