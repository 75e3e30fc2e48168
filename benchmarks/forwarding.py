"""One input, one output: the repeater against libzmq's proxy and against the forwarding of PvaPy."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack

import zmq

from benchmarks.lanes import Kinds, data_plane, lane, proxy
from benchmarks.loads import SIZES
from benchmarks.pairs import compare
from benchmarks.peers import mirror
from benchmarks.peers.environments import PeerMissingError
from benchmarks.report import Row

ONE: Kinds = ((zmq.PUSH, 1),)
PVAPY_TARGETS = {"4 kB": 8.0, "0.26 MB": 1.3, "4.2 MB": 1.3}
PROXY_TARGET = 0.7


def zmq_proxy(rounds: int) -> Iterator[Row]:
    for size in PVAPY_TARGETS:
        load = SIZES[size]
        with lane(load, ONE, data_plane) as ours, lane(load, ONE, proxy) as theirs:
            measured = compare(ours, {"zmq.proxy": theirs}, rounds)
        yield Row(f"1 → 1, {size}", PROXY_TARGET, measured)


def pvapy(rounds: int) -> Iterator[Row]:
    """The updates that reach a client of PvaPy's mirror server, at its source's best rate."""
    for size, target in PVAPY_TARGETS.items():
        load = SIZES[size]
        with ExitStack() as stack:
            try:
                theirs = stack.enter_context(mirror.lane(load))
            except PeerMissingError as error:
                print(f"left out: {error}", file=sys.stderr)
                return
            ours = stack.enter_context(lane(load, ONE, data_plane))
            measured = compare(ours, {"mirror server of PvaPy": theirs}, rounds)
        yield Row(f"1 → 1, {size}", target, measured)
