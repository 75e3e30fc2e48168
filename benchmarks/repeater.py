"""The repeater with three outputs against bare loops, and against the original m_split.

Source and sink share the cores with what forwards, alike for all. The repeater decodes, checks and
accounts for every message and answers its service; the loops and m_split do not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager

import zmq

from benchmarks.lanes import BARE_LOOPS, Kinds, Middle, data_plane, lane
from benchmarks.loads import SIZES, Load
from benchmarks.pairs import Contenders, Measured, compare_starts
from benchmarks.peers import split
from benchmarks.report import Row

DECIMATED: Kinds = ((zmq.PUSH, 1), (zmq.PUB, 5), (zmq.PUB, 10))
ALL: Kinds = ((zmq.PUSH, 1),) * 3

SPLIT_PEERS: dict[str, Middle] = {"m_split of psi-mflow": split.forward}

TARGETS = {"4 kB": 0.8, "123 kB": 0.95, "0.5 MB": 1.0, "4.8 MB": 1.0, "8.1 MB": 1.0}
SPLIT_TARGETS = {"4 kB": 1.2, "123 kB": 1.0, "0.5 MB": 1.2, "4.8 MB": 1.2, "8.1 MB": 1.2}


def forwarding(
    load: Load, kinds: Kinds, peers: Mapping[str, Middle], rounds: int, own: Middle = data_plane
) -> Measured:
    """The repeater, or another way of our `own`, against others from one input to the same outputs."""

    @contextmanager
    def lanes() -> Iterator[Contenders]:
        with ExitStack() as stack:
            ours = stack.enter_context(lane(load, kinds, own))
            yield ours, {name: stack.enter_context(lane(load, kinds, peer)) for name, peer in peers.items()}

    return compare_starts(lanes, rounds)


def bare_loops(rounds: int) -> Iterator[Row]:
    """1 input → PUSH of all, PUB of every 5th, PUB of every 10th."""
    for size, target in TARGETS.items():
        yield Row(f"1 → 3, {size}", target, forwarding(SIZES[size], DECIMATED, BARE_LOOPS, rounds))


def m_split(rounds: int) -> Iterator[Row]:
    """1 input → 3 PUSH of all."""
    for size, target in SPLIT_TARGETS.items():
        yield Row(f"1 → 3, all to each, {size}", target, forwarding(SIZES[size], ALL, SPLIT_PEERS, rounds))
