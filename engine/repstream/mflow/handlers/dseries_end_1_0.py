"""dseries_end-1.0: a DECTRIS detector has sent all images of a series (stream v1)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from repstream.messages import dectris_v1
from repstream.mflow.handlers.sending import dumps, send_parts
from repstream.mflow.receiver import ReceiveHandler


class Handler:
    """``{"header": dict}``."""

    @staticmethod
    def receive(receiver: ReceiveHandler) -> dict[str, Any]:
        header = receiver.header()
        dectris_v1.decode_end(receiver.take())
        return {"header": header}

    @staticmethod
    def send(message: dict[str, Any], send: Callable[..., Any], block: bool = True) -> None:
        send_parts([dumps(message["header"])], send, block)
