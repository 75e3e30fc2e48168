"""pilatus-1.0: a CBF file under its name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from repstream.messages import pilatus_1_0
from repstream.mflow.handlers.sending import dumps, send_parts
from repstream.mflow.receiver import ReceiveHandler


class Handler:
    """``{"header": dict, "data": bytes}``; check the names in the header before they name a file."""

    @staticmethod
    def receive(receiver: ReceiveHandler) -> dict[str, Any]:
        header = receiver.header()
        file = pilatus_1_0.decode(receiver.take())
        return {"header": header, "data": receiver.plain(file.data)}

    @staticmethod
    def send(message: dict[str, Any], send: Callable[..., Any], block: bool = True) -> None:
        send_parts([dumps(message["header"]), message["data"]], send, block)
