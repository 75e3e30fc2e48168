"""What became of a request, in EPICS: refused, failed and not known yet are three things."""

from __future__ import annotations

import pytest
from caproto import AlarmSeverity

from repstream.errors import EngineFault, EngineUnreachable, Refused, Unanswered
from repstream_epics.refusal import CmdStatus, explain, severity_of

NONE, MINOR, MAJOR, INVALID = AlarmSeverity


@pytest.mark.parametrize(
    ("error", "status", "severity"),
    [
        (Refused("engine.start", "because"), CmdStatus.REJECTED, MINOR),
        (EngineFault("engine.start", "because"), CmdStatus.FAILED, MAJOR),
        (Unanswered("engine.start", "because"), CmdStatus.TIMEOUT, MAJOR),
        (EngineUnreachable("because"), CmdStatus.TIMEOUT, MAJOR),
        (ZeroDivisionError("because"), CmdStatus.FAILED, MAJOR),
    ],
)
def test_each_error_has_its_status(error: Exception, status: CmdStatus, severity: AlarmSeverity) -> None:
    found, text = explain(error)
    assert (found, severity_of(found)[1]) == (status, severity)
    assert "because" in text
