"""A Tango command made of a function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tango import CmdArgType
from tango.server import command


def tango_command(
    name: str,
    run: Callable[..., Any],
    text: str,
    dtype_in: CmdArgType = CmdArgType.DevVoid,
    dtype_out: CmdArgType = CmdArgType.DevVoid,
) -> Callable[..., Any]:
    """A Tango command of its own name; `run` gets the device and, unless it is DevVoid, the argument."""
    run.__name__ = run.__qualname__ = name
    run.__doc__ = text
    made: Callable[..., Any] = command(run, dtype_in=dtype_in, doc_in=text, dtype_out=dtype_out)
    return made
