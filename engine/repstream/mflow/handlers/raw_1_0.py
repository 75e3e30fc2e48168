"""raw-1.0: a JSON header and any parts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from repstream.mflow.handlers.sending import dumps, send_parts
from repstream.mflow.receiver import ReceiveHandler


class Handler:
    """``{"header": dict, "data": [part, …]}``; an empty part is None."""

    @staticmethod
    def receive(receiver: ReceiveHandler) -> dict[str, Any]:
        header = receiver.next(as_json=True)
        data = []
        while receiver.has_more():
            data.append(receiver.next() or None)
        return {"header": header, "data": data}

    @staticmethod
    def send(message: dict[str, Any], send: Callable[..., Any], block: bool = True) -> None:
        parts = [b"" if part is None else part for part in message["data"]]
        send_parts([dumps(message["header"]), *parts], send, block)
