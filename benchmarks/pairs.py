"""Contenders measured in turn, so that what else the machine does meets them all alike."""

from __future__ import annotations

import multiprocessing
import statistics
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from tests.ports import free_port

_spawn = multiprocessing.get_context("spawn")


@dataclass(frozen=True)
class Measured:
    """Ours against the fastest of the peers, from as many pairs as there were rounds.

    `ratio` is the median of the rounds' ratios, `low` and `high` their quartiles; the rates (1/s)
    are medians too.
    """

    ratio: float
    low: float
    high: float
    pairs: int
    ours: float
    peer: str
    theirs: float


STARTS = 3
"""How often contenders are started anew: two starts of the same processes differ more than their runs."""

Run = Callable[[], float]
"""Returns a rate."""

T = TypeVar("T")

Results = Mapping[str, list[T]]
"""What the runs return, one for each round, by the peer's name; "" is ours."""

Contenders = tuple[Run, Mapping[str, Run]]
"""Ours, and the peers by name."""


def compare(ours: Run, peers: Mapping[str, Run], rounds: int, warm: bool = True) -> Measured:
    """Run all in turn, in another order each round. The first round warms up only."""
    return measured(_rounds(ours, peers, rounds, warm))


def compare_starts(start: Callable[[], AbstractContextManager[Contenders]], rounds: int) -> Measured:
    """As `compare`, with the rounds shared out among several starts of all contenders."""
    return measured(rounds_of_starts(start, rounds))


def rounds_of_starts(
    start: Callable[[], AbstractContextManager[tuple[Callable[[], T], Mapping[str, Callable[[], T]]]]],
    rounds: int,
) -> Results[T]:
    """What the runs of all contenders return, in rounds shared out among several starts of them."""
    starts = min(STARTS, rounds)
    shares = [rounds // starts + (number < rounds % starts) for number in range(starts)]
    found: dict[str, list[T]] = {}
    for share in shares:
        with start() as (ours, peers):
            for name, results in _rounds(ours, peers, share, warm=True).items():
                found.setdefault(name, []).extend(results)
    return found


def _rounds(
    ours: Callable[[], T], peers: Mapping[str, Callable[[], T]], rounds: int, warm: bool
) -> Results[T]:
    runs = {"": ours, **peers}
    rates: dict[str, list[T]] = {name: [] for name in runs}
    for number in range(rounds + warm):
        order = list(runs)
        shift = number % len(order)
        for name in order[shift:] + order[:shift]:
            rate = runs[name]()
            if number or not warm:
                rates[name].append(rate)
    return rates


def measured(rates: Results[float]) -> Measured:
    """The medians and quartiles of all rounds."""
    rounds = len(rates[""])
    peer = max((name for name in rates if name), key=lambda name: statistics.median(rates[name]))
    ratios = [own / other for own, other in zip(rates[""], rates[peer], strict=True)]
    low, _, high = statistics.quantiles(ratios, n=4, method="inclusive") if rounds > 1 else ratios * 3
    return Measured(
        statistics.median(ratios),
        low,
        high,
        rounds,
        statistics.median(rates[""]),
        peer,
        statistics.median(rates[peer]),
    )


@contextmanager
def child(main: Callable[..., None], *arguments: Any) -> Iterator[Connection]:
    """Runs `main(*arguments, pipe)` in a process until the block ends; yields the other end of the pipe."""
    ours, theirs = _spawn.Pipe()
    process = _spawn.Process(target=main, args=(*arguments, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        if (said := ours.recv()) != "ready":
            raise RuntimeError(said)
        yield ours
    finally:
        process.kill()
        process.join()
        ours.close()


def free_addresses(count: int) -> list[str]:
    return [f"tcp://127.0.0.1:{free_port()}" for _ in range(count)]
