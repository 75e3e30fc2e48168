"""Which handler a format has: for all streams, or for one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableMapping
from typing import Any

from repstream.mflow.handlers import (
    array_1_0,
    bsr_m_1_0,
    chunk_1_0,
    dectris_v2,
    dheader_1_0,
    dimage_1_0,
    dseries_end_1_0,
    pilatus_1_0,
    raw_1_0,
)
from repstream.mflow.receiver import ReceiveHandler

Receive = Callable[[ReceiveHandler], Any]
"""Makes the data of a `Message` from a receiver; None or nothing where there is none."""

Send = Callable[..., Any]
"""Called with a message's data, and by name `send` (a stream's) and `block`."""

handler_modules: dict[str, Any] = {
    "array-1.0": array_1_0,
    "bsr_m-1.0": bsr_m_1_0,
    "bsr_m-1.1": bsr_m_1_0,
    "chunk-1.0": chunk_1_0,
    dectris_v2.HTYPE: dectris_v2,
    "dheader-1.0": dheader_1_0,
    "dimage-1.0": dimage_1_0,
    "dseries_end-1.0": dseries_end_1_0,
    "pilatus-1.0": pilatus_1_0,
    "raw-1.0": raw_1_0,
}
"""The module of each format that is known, by `htype`; what is set here later has no effect."""

handlers: dict[str, Any] = {htype: module.Handler for htype, module in handler_modules.items()}
"""Handlers of all streams by `htype`: objects with `receive` and `send`, or a function that receives."""


def receiving(handler: Any) -> Receive:
    """The receiving function of a handler, which may be that function itself."""
    function: Receive = getattr(handler, "receive", handler)
    return function


class _Side(MutableMapping[str, Callable[..., Any]]):
    """The functions of one direction by `htype`: those set here, else those of `handlers`."""

    def __init__(self, of: Callable[[Any], Callable[..., Any]]) -> None:
        self._of = of
        self._own: dict[str, Callable[..., Any]] = {}

    def __getitem__(self, htype: str) -> Callable[..., Any]:
        own = self._own.get(htype)
        return own if own is not None else self._of(handlers[htype])

    def __setitem__(self, htype: str, function: Callable[..., Any]) -> None:
        self._own[htype] = function

    def __delitem__(self, htype: str) -> None:
        del self._own[htype]

    def __iter__(self) -> Iterator[str]:
        return iter({**handlers, **self._own})

    def __len__(self) -> int:
        return len({**handlers, **self._own})


def _sending(handler: Any) -> Send:
    if not hasattr(handler, "send"):
        raise KeyError("this format has a handler that receives only")
    function: Send = handler.send
    return function


receive_handlers: MutableMapping[str, Receive] = _Side(receiving)
send_handlers: MutableMapping[str, Send] = _Side(_sending)
