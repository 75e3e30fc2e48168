"""A Tango attribute made of functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tango import AttrWriteType
from tango.server import attribute

from repstream_tango.events import IMPLEMENTED


def tango_attribute(
    name: str, read: Callable[..., Any], write: Callable[..., Any] | None = None, **facts: Any
) -> attribute:
    """An attribute whose events we push; read-only without `write`.

    Traces (OpenTelemetry) name a span after the function: ``FramesReceived.read``.
    """
    for what, function in (("read", read), ("write", write)):
        if function is not None:
            function.__qualname__ = f"{name}.{what}"
    access = AttrWriteType.READ if write is None else AttrWriteType.READ_WRITE
    return attribute(name=name, access=access, fget=read, fset=write, **IMPLEMENTED, **facts)
