"""dheader-1.0: a DECTRIS detector is armed (stream v1)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from repstream.messages import dectris_v1
from repstream.mflow.handlers.appendix import read_appendix, write_appendix
from repstream.mflow.handlers.sending import dumps, send_parts
from repstream.mflow.receiver import ReceiveHandler, loads

DOCUMENTS = {"none": (), "basic": ("part_2",), "all": ("part_2", "part_3", "part_5", "part_7")}
TABLES = {"part_3": "part_4_raw", "part_5": "part_6_raw", "part_7": "part_8_raw"}
"""Which parts a level of detail has, and the blob that follows one."""


class Handler:
    """``{"header": dict, …}``, as much as the header's `header_detail` says.

    `part_2`: the configuration; `part_3`, `part_4_raw`: flat field; `part_5`, `part_6_raw`:
    pixel mask; `part_7`, `part_8_raw`: count rate table, each a dict and a blob. `appendix`:
    JSON, only where there is one.
    """

    @staticmethod
    def receive(receiver: ReceiveHandler) -> dict[str, Any]:
        header = receiver.header()
        parts = receiver.take()
        start = dectris_v1.decode_start(parts)
        data = {"header": header}
        following = iter(parts[1:])
        for name in DOCUMENTS[header["header_detail"]]:
            data[name] = loads(next(following))
            if name in TABLES:
                data[TABLES[name]] = receiver.plain(next(following))
        if start.appendix is not None:
            data["appendix"] = read_appendix(start.appendix)
        return data

    @staticmethod
    def send(message: dict[str, Any], send: Callable[..., Any], block: bool = True) -> None:
        parts = [dumps(message["header"])]
        for name in DOCUMENTS[message["header"]["header_detail"]]:
            parts.append(dumps(message[name]))
            if name in TABLES:
                parts.append(message[TABLES[name]])
        if "appendix" in message:
            parts.append(write_appendix(message["appendix"]))
        send_parts(parts, send, block)
