"""The one place where a refusal becomes Tango's DevFailed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tango import Except

from repstream.errors import EngineUnreachable, Refused
from repstream_tango.types import message_to_tango

REFUSED = "Refused"
"""Reason of a DevFailed: the engine did not take the write or command; nothing was changed."""

UNREACHABLE = "EngineUnreachable"
"""Reason of a DevFailed: no engine answers at the address of the property `Engine`."""

WRONG_PROPERTY = "WrongProperty"
"""Reason of a DevFailed: a property of the device cannot be used; Status says why."""


@contextmanager
def as_devfailed(origin: str) -> Iterator[None]:
    """Turn the engine's refusal into DevFailed; `origin` is ``device/Command`` or ``device/Attribute``."""
    try:
        yield
    except Refused as refused:
        fail(REFUSED, str(refused), origin)
    except EngineUnreachable as unreachable:
        fail(UNREACHABLE, str(unreachable), origin)


def fail(reason: str, text: str, origin: str) -> None:
    """Raise DevFailed."""
    Except.throw_exception(reason, message_to_tango(text), origin)
