"""The repeater with three outputs against bare loops: ``python -m benchmarks.repeater [--markdown]``.

Each round runs the bare loop without copying, the one with copying, and the repeater, one after
another on the same machine; the figures are medians over the rounds, and the ratio is that of the
repeater to the faster loop. Source and sink share the cores with the loop, as they do for all three. The
repeater decodes, checks and accounts for every message and answers its service; the loops do not.
"""

from __future__ import annotations

import argparse
import multiprocessing
import socket
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from multiprocessing.connection import Connection
from typing import Any

from benchmarks import ceilings
from benchmarks.ceilings import Addresses, Load
from repstream.dataplane import control
from repstream.parameters.configuration import Configuration

LOADS = {
    "4 kB": Load((32, 64), 100_000),
    "123 kB": Load((128, 480), 15_000),
    "0.5 MB": Load((500, 500), 5_000),
    "4.8 MB": Load((1200, 2016), 600),
}

Middle = Callable[[Load, Addresses], AbstractContextManager[None]]

_spawn = multiprocessing.get_context("spawn")


@contextmanager
def child(main: Callable[..., None], load: Load, addresses: Addresses, *more: Any) -> Iterator[Connection]:
    """Runs `main` in a process until the block ends; yields the pipe to it."""
    ours, theirs = _spawn.Pipe()
    process = _spawn.Process(target=main, args=(load, addresses, theirs, *more), daemon=True)
    process.start()
    assert ours.recv() == "ready"
    try:
        yield ours
    finally:
        process.kill()
        process.join()


@contextmanager
def data_plane(load: Load, addresses: Addresses) -> Iterator[None]:
    """The repeater's own process, configured to lose nothing on its PUSH."""
    streams = {
        "every": {"address": addresses.every, "on_slow": "block"},
        "fifth": {"address": addresses.fifth, "mode": "PUB", "policy": "send_every_nth", "every_nth": 5},
        "tenth": {"address": addresses.tenth, "mode": "PUB", "policy": "send_every_nth", "every_nth": 10},
    }
    budget = {"buffer_size": load.hwm}
    configuration = Configuration.model_validate(
        {
            "source": {"address": addresses.source, **budget},
            "streams": {name: {**stream, **budget} for name, stream in streams.items()},
            "slots": {f"streams.{name}": slot for slot, name in enumerate(streams, 1)},
        }
    )
    ours, theirs = socket.socketpair()
    command = [sys.executable, "-m", "repstream.dataplane.process", "--fd", str(theirs.fileno())]
    process = subprocess.Popen(command, pass_fds=[theirs.fileno()])
    theirs.close()
    with Connection(ours.detach()) as pipe:
        control.send(pipe, control.Open(request=1, configuration=configuration.model_dump_json()))
        answer = control.receive_notice(pipe)
        assert answer == control.Answer(1), answer
        try:
            yield
        finally:
            process.kill()
            process.wait()


@contextmanager
def bare(load: Load, addresses: Addresses, copy: bool) -> Iterator[None]:
    with child(ceilings.bare_loop, load, addresses, copy):
        yield


def rate(middle: Middle, load: Load) -> float:
    """Messages a second through `middle`."""
    addresses = ceilings.free_addresses()
    with (
        child(ceilings.source, load, addresses) as source,
        middle(load, addresses),
        child(ceilings.sink, load, addresses) as sink,
    ):
        source.send("go")
        seconds: float = sink.recv()
    return (load.count - 1) / seconds


CONTENDERS: dict[str, Middle] = {
    "loop, zero-copy": partial(bare, copy=False),
    "loop, copying": partial(bare, copy=True),
    "repeater": data_plane,
}


def measure(load: Load, rounds: int) -> dict[str, float]:
    """Median rate of each contender over interleaved rounds."""
    rates: dict[str, list[float]] = {name: [] for name in CONTENDERS}
    for _ in range(rounds):
        for name, middle in CONTENDERS.items():
            rates[name].append(rate(middle, load))
    return {name: statistics.median(found) for name, found in rates.items()}


def table(rounds: int, sizes: list[str]) -> Iterator[list[str]]:
    """Rows of the table, its head first."""
    yield ["image", *(f"{name} (1/s)" for name in CONTENDERS), "repeater (GB/s)", "ratio"]
    for size in sizes:
        load = LOADS[size]
        rates = measure(load, rounds)
        ceiling = max(rate for name, rate in rates.items() if name != "repeater")
        figures = [f"{rate:,.0f}" for rate in rates.values()]
        own = rates["repeater"]
        yield [size, *figures, f"{own * load.nbytes / 1e9:.2f}", f"{own / ceiling:.2f}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5, help="rounds, each with all contenders")
    parser.add_argument("--size", choices=LOADS, action="append", help="only these sizes")
    parser.add_argument("--markdown", action="store_true", help="print a Markdown table")
    options = parser.parse_args()
    for number, row in enumerate(table(options.rounds, options.size or list(LOADS))):
        if options.markdown:
            print("|", " | ".join(row), "|", flush=True)
            if number == 0:
                print("|" + "---|" * len(row), flush=True)
        else:
            print("  ".join(cell.rjust(20) for cell in row), flush=True)


if __name__ == "__main__":
    main()
