"""One input, one output: the repeater against libzmq's proxy and against the forwarding of PvaPy."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import zmq

from benchmarks.lanes import Kinds, data_plane, lane, proxy
from benchmarks.loads import SIZES, Load
from benchmarks.pairs import Contenders, compare_starts
from benchmarks.peers import mirror
from benchmarks.peers.environments import PeerMissingError
from benchmarks.repeater import forwarding
from benchmarks.report import Row

ONE: Kinds = ((zmq.PUSH, 1),)
PVAPY_TARGETS = {"4 kB": 8.0, "0.26 MB": 1.3, "4.2 MB": 1.3}
PROXY_TARGET = 0.7


def zmq_proxy(rounds: int) -> Iterator[Row]:
    for size in PVAPY_TARGETS:
        measured = forwarding(SIZES[size], ONE, {"zmq.proxy": proxy}, rounds)
        yield Row(f"1 → 1, {size}", PROXY_TARGET, measured)


def pvapy(rounds: int) -> Iterator[Row]:
    """The updates that reach a client of PvaPy's mirror server, at its source's best rate."""
    for size, target in PVAPY_TARGETS.items():
        try:
            measured = compare_starts(partial(_beside_pvapy, SIZES[size]), rounds)
        except PeerMissingError as error:
            print(f"left out: {error}", file=sys.stderr)
            return
        yield Row(f"1 → 1, {size}", target, measured)


@contextmanager
def _beside_pvapy(load: Load) -> Iterator[Contenders]:
    with mirror.lane(load) as theirs, lane(load, ONE, data_plane) as ours:
        yield ours, {"mirror server of PvaPy": theirs}
