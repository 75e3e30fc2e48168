"""The one place where a refusal becomes Tango's DevFailed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from tango import Except

from repstream.errors import EngineFault, EngineUnreachable, Refused, Unanswered
from repstream_tango.types import message_to_tango

REFUSED = "Refused"
"""Reason of a DevFailed: the engine did not take the write or command; nothing was changed."""

FAULT = "EngineFault"
"""Reason of a DevFailed: the engine itself failed; its log has the details."""

UNANSWERED = "Unanswered"
"""Reason of a DevFailed: the write or command was taken and goes on; what becomes of it is not known yet."""

UNREACHABLE = "EngineUnreachable"
"""Reason of a DevFailed: no engine answers at the address of the property `Engine`."""

NOT_FINISHED = "NotFinished"
"""Reason of a DevFailed: what was waited for goes on; Status says what it does."""

WRONG_PROPERTY = "WrongProperty"
"""Reason of a DevFailed: a property of the device cannot be used; Status says why."""


@contextmanager
def as_devfailed(origin: str) -> Iterator[None]:
    """Turn the engine's errors into DevFailed; `origin` is ``device/Command`` or ``device/Attribute``."""
    try:
        yield
    except Refused as refused:
        fail(REFUSED, str(refused), origin)
    except EngineFault as fault:
        fail(FAULT, str(fault), origin)
    except Unanswered as unanswered:
        fail(UNANSWERED, str(unanswered), origin)
    except EngineUnreachable as unreachable:
        fail(UNREACHABLE, str(unreachable), origin)


def fail(reason: str, text: str, origin: str) -> NoReturn:
    """Raise DevFailed."""
    Except.throw_exception(reason, message_to_tango(text), origin)
    raise AssertionError("throw_exception raises")
