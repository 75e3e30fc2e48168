"""chunk-1.0, the deprecated ancestor of array-1.0: received only."""

from __future__ import annotations

from typing import Any

from repstream.messages import chunk_1_0
from repstream.messages.pixels import array_of
from repstream.mflow.receiver import ReceiveHandler


class Handler:
    """``{"header": dict, "data": [array]}``, as of array-1.0."""

    @staticmethod
    def receive(receiver: ReceiveHandler) -> dict[str, Any]:
        header = receiver.header()
        return {"header": header, "data": [array_of(chunk_1_0.decode(receiver.take()))]}
