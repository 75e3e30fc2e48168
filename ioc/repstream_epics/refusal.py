"""The only place that says in EPICS what became of a request: a status, its severity, a sentence."""

from __future__ import annotations

import enum
import logging

from caproto import AlarmSeverity, AlarmStatus

from repstream.errors import EngineFault, EngineUnreachable, Refused, Unanswered
from repstream.protocol import Completion
from repstream.states import StartResult
from repstream_epics.states import NO_ALARM, Severity

log = logging.getLogger(__name__)


class CmdStatus(enum.StrEnum):
    """What became of the last request; the order is that of the enum PV."""

    IDLE = "IDLE"
    BUSY = "BUSY"
    OK = "OK"
    REJECTED = "REJECTED"
    FAILED = "FAILED"
    TIMEOUT = "TIMEOUT"
    INTERRUPTED = "INTERRUPTED"
    ABORTED = "ABORTED"


class WriteStatus(enum.StrEnum):
    """What became of the last request to a writer, and of its acquisition."""

    OK = "OK"
    ERROR = "ERROR"


SEVERITY: dict[str, Severity] = {
    CmdStatus.REJECTED: (AlarmStatus.STATE, AlarmSeverity.MINOR_ALARM),
    CmdStatus.FAILED: (AlarmStatus.STATE, AlarmSeverity.MAJOR_ALARM),
    CmdStatus.TIMEOUT: (AlarmStatus.STATE, AlarmSeverity.MAJOR_ALARM),
    CmdStatus.INTERRUPTED: (AlarmStatus.STATE, AlarmSeverity.MINOR_ALARM),
    WriteStatus.ERROR: (AlarmStatus.STATE, AlarmSeverity.MAJOR_ALARM),
}


_ENDED = {
    StartResult.INTERRUPTED.value: CmdStatus.INTERRUPTED,
    StartResult.ABORTED.value: CmdStatus.ABORTED,
}


def severity_of(status: str) -> Severity:
    """The severity of a command's status."""
    return SEVERITY.get(status, NO_ALARM)


def explain(error: Exception) -> tuple[CmdStatus, str]:
    """Status and text for a request that was not taken."""
    if isinstance(error, Refused):
        return CmdStatus.REJECTED, str(error)
    if isinstance(error, EngineFault):
        return CmdStatus.FAILED, str(error)
    if isinstance(error, EngineUnreachable | Unanswered):
        return CmdStatus.TIMEOUT, str(error)
    log.error("a request failed", exc_info=error)
    return CmdStatus.FAILED, f"a fault of the IOC ({type(error).__name__}: {error}); its log has the details"


def ended(completion: Completion) -> tuple[CmdStatus, str]:
    """Status and text for a command that was taken; an abort is no alarm, not even for the aborted start."""
    if completion.ok:
        return CmdStatus.OK, completion.message
    return _ENDED.get(completion.result, CmdStatus.FAILED), completion.message
