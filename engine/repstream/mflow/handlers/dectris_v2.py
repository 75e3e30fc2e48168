"""DECTRIS stream v2: one part of CBOR instead of a JSON header and more."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from repstream.messages import dectris_v2
from repstream.messages.series import SeriesEnd, SeriesStart
from repstream.mflow.handlers.sending import send_parts
from repstream.mflow.receiver import ReceiveHandler

HTYPE = "dectris-2"
"""These messages name no format; this stands for it, in `handlers` and in decoded headers."""


class Handler:
    """``{"header", "data", "message"}``.

    `header`: `htype` (`HTYPE`), `type` ("start", "image" or "end"), `series_id`, and of an
    image `image_id`. `data`: arrays by threshold, of a start by table. `message`: everything,
    as `repstream.messages.dectris_v2` decodes it.
    """

    @staticmethod
    def receive(receiver: ReceiveHandler) -> dict[str, Any]:
        message = dectris_v2.decode(receiver.take())
        header: dict[str, Any] = {"htype": HTYPE}
        found = {}
        if isinstance(message, dectris_v2.Image):
            header |= {"type": "image", "series_id": message.series_id, "image_id": message.image_id}
            found = message.data
        elif isinstance(message, SeriesStart):
            header |= {"type": "start", "series_id": message.series}
            found = dict(message.tables)
        elif isinstance(message, SeriesEnd):
            header |= {"type": "end", "series_id": message.series}
        data = {name: pixels.array() for name, pixels in found.items()}
        return {"header": header, "data": data, "message": message}

    @staticmethod
    def send(message: dict[str, Any], send: Callable[..., Any], block: bool = True) -> None:
        """Send it as it came: with the same pixels and bytes."""
        send_parts(message["message"].parts, send, block)
