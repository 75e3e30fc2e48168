"""Which reason an error of the engine has as DevFailed."""

from __future__ import annotations

import pytest
import tango

from repstream.errors import EngineFault, EngineUnreachable, Refused, RepstreamError, Unanswered
from repstream_tango.refusal import as_devfailed


@pytest.mark.parametrize(
    "error",
    [
        Refused("engine.start", "because"),
        EngineFault("engine.start", "because"),
        Unanswered("engine.start", "because"),
        EngineUnreachable("because"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_each_error_has_its_own_reason(error: RepstreamError) -> None:
    with pytest.raises(tango.DevFailed) as caught, as_devfailed("device/Start"):
        raise error
    assert caught.value.args[0].reason == type(error).__name__
    assert "because" in caught.value.args[0].desc
