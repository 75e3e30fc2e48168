"""The socket of a stream: a message goes out whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq
from tests.engine.dataplane.listed import KeepingTransport
from tests.sockets import keeping_context

from repstream.dataplane.outputs import StreamOutput
from repstream.dataplane.zmq_transport import ZmqTransport, open_transport
from repstream.parameters.stream import StreamConfig


@pytest.fixture
def transport(tmp_path: Path) -> Iterator[ZmqTransport]:
    with keeping_context() as context:
        found = open_transport("live", StreamConfig(address=f"ipc://{tmp_path}/s"), context)
        yield found
        found.close(0)


@pytest.mark.parametrize("leaves_at", [0, 1, 2, 3])
def test_after_a_consumer_that_left_within_a_message_the_next_one_is_whole(
    transport: ZmqTransport, leaves_at: int
) -> None:
    """libzmq says Again for the part at which a consumer left, and swallows what follows up to the last."""
    tried: list[tuple[Any, bool]] = []

    def send(part: Any, flags: int, copy: bool) -> None:
        tried.append((part, bool(flags & zmq.SNDMORE)))
        if len(tried) == leaves_at + 1:
            raise zmq.Again

    transport._send_part = send
    parts = [b"0", b"1", b"2", b"3"]
    assert not transport.send(parts)
    ended = 1 if leaves_at == 0 else 4
    assert tried == [(part, part != b"3") for part in parts[:ended]]


def test_a_report_tells_consumers_from_those_who_left() -> None:
    there = KeepingTransport()
    there.consumers, there.disconnects = 2, 5
    report = StreamOutput("live", StreamConfig(), there).report()
    assert (report.clients, report.disconnects) == (2, 5)
