"""dimage-1.0: an image of a DECTRIS detector (stream v1)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from repstream.messages import dectris_v1
from repstream.mflow.handlers.appendix import read_appendix, write_appendix
from repstream.mflow.handlers.sending import dumps, send_parts
from repstream.mflow.receiver import ReceiveHandler, loads


class Handler:
    """``{"header", "part_2", "part_3_raw", "part_4"}`` and, where there is one, ``"appendix"``.

    `part_2` says how the blob `part_3_raw` is to be read, `part_4` has the times; all but the
    blob are JSON. The blob is checked, but stays as it is: `repstream.messages.dectris_v1`
    gives its pixels.
    """

    @staticmethod
    def receive(receiver: ReceiveHandler) -> dict[str, Any]:
        header = receiver.header()
        parts = receiver.take()
        pixels = dectris_v1.decode_image(parts).pixels
        if pixels.encoding == "lz4":
            # Bitshuffled pixels were walked; damage in bare LZ4 shows by unpacking only.
            pixels.raw()
        data = {
            "header": header,
            "part_2": loads(parts[1]),
            "part_3_raw": receiver.plain(parts[2]),
            "part_4": loads(parts[3]),
        }
        if len(parts) > 4:
            data["appendix"] = read_appendix(parts[4])
        return data

    @staticmethod
    def send(message: dict[str, Any], send: Callable[..., Any], block: bool = True) -> None:
        parts = [dumps(message["header"]), dumps(message["part_2"])]
        parts += [message["part_3_raw"], dumps(message["part_4"])]
        if "appendix" in message:
            parts.append(write_appendix(message["appendix"]))
        send_parts(parts, send, block)
