"""A PV Access server on free ports of loopback, and p4p's client of it, which needs no search (TCP only)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from p4p.client.thread import Context

from repstream.protocol import Engine
from repstream_epics.pva.server import PvaServer
from tests.ports import free_port

PREFIX = "T:PVA:"


@contextmanager
def serving(engines: Mapping[str, Engine], **options: Any) -> Iterator[PvaServer]:
    with PvaServer(engines, PREFIX, free_port(), search_port=free_port(), **options) as server:
        yield server


@contextmanager
def client(server: PvaServer | int) -> Iterator[Context]:
    """Of a server, or whatever listens on a port."""
    configuration = {
        "EPICS_PVA_NAME_SERVERS": f"127.0.0.1:{server if isinstance(server, int) else server.port}",
        "EPICS_PVA_ADDR_LIST": "",
        "EPICS_PVA_AUTO_ADDR_LIST": "NO",
    }
    with Context("pva", conf=configuration, useenv=False) as context:
        yield context
