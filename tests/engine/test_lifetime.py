"""What the base of servers and clients does at the beginning and the end of a ``with``."""

from __future__ import annotations

import pytest

from repstream.lifetime import Closing, Running


class Server(Running):
    def __init__(self, broken: bool = False) -> None:
        self.calls: list[str] = []
        self._broken = broken

    def start(self) -> None:
        self.calls.append("start")
        if self._broken:
            raise OSError("the port is taken")

    def close(self) -> None:
        self.calls.append("close")


class Reader(Closing):
    closed = False

    def close(self) -> None:
        self.closed = True


def test_what_runs_is_started_first_and_closed_last() -> None:
    with Server() as server:
        assert server.calls == ["start"]
    assert server.calls == ["start", "close"]


def test_what_did_not_start_is_not_closed() -> None:
    server = Server(broken=True)
    with pytest.raises(OSError, match="taken"), server:
        pass
    assert server.calls == ["start"]


def test_an_error_within_closes_and_comes_out() -> None:
    with pytest.raises(ValueError, match="within"), Reader() as reader:
        raise ValueError("within")
    assert reader.closed
