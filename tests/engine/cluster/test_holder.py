"""A holder keeps its engine for the next one who asks, and ends it where nobody does."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.cli.processes import below, still_alive
from tests.waiting import until

from repstream.cluster import holder
from repstream.errors import ChildError

ENGINE = """
import pathlib, signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(pathlib.Path(sys.argv[1]).write_text("in good order")))
pathlib.Path(sys.argv[2]).touch()
signal.pause()
"""


class Site:
    """An engine that says how it ended, held under a name of its own."""

    def __init__(self, folder: Path) -> None:
        self.name = f"test-{secrets.token_hex(4)}"
        self.end, self.begun = folder / "end", folder / "begun"
        self._command = (sys.executable, "-c", ENGINE, str(self.end), str(self.begun))
        self.holders: set[int] = set()

    def reach(self, patience: float = 60) -> tuple[socket.socket, holder.Held]:
        found = holder.reach(self.name, patience, self._command)
        self.holders.add(found[1].process_id)
        until(self.begun.exists, "the engine")
        return found


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    yield site
    everything = site.holders.union(*map(below, site.holders))
    assert not still_alive(everything, 20), "a holder was left"


def test_who_comes_next_finds_the_same_engine(site: Site) -> None:
    first, held = site.reach()
    first.close()
    second, again = site.reach()
    with closing(second):
        assert again == held
        assert not site.end.exists()
        second.send(holder.STOP)
        assert second.recv(1) == b""
    assert site.end.read_text() == "in good order"


def test_two_may_ask_for_one_engine(site: Site) -> None:
    (first, held), (second, same) = site.reach(0), site.reach(0)
    assert held == same
    first.close()
    second.send(holder.STOP)
    assert second.recv(1) == b""
    second.close()


def test_an_engine_that_nobody_asks_for_ends_in_good_order(site: Site) -> None:
    connection, _ = site.reach(0.5)
    connection.close()
    until(site.end.exists, "the end")


def test_the_end_of_the_engine_is_that_of_the_connection(site: Site) -> None:
    connection, held = site.reach()
    with closing(connection):
        (engine,) = below(held.process_id)
        os.kill(engine, signal.SIGKILL)
        assert connection.recv(1) == b""


def test_an_engine_that_cannot_be_started_is_the_reason(site: Site) -> None:
    with pytest.raises(ChildError, match="cannot be held on this host; the log has the reason"):
        holder.reach(site.name, 60, ("/no/such/program",))
