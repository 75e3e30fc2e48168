"""All benchmarks, or those that are named: ``python -m benchmarks [NAME …] [--quick] [--base COMMIT]``.

Each writes its table into docs/performance.md and its plot and figures beside it. With ``--base`` the
data plane is compared with that of an earlier commit.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from functools import partial

from benchmarks import (
    compressed,
    forwarding,
    messages,
    page,
    pictures,
    pipelines,
    polled,
    processing,
    pva,
    reading,
    receivers,
    repeater,
    report,
    ring,
    since,
    stream_formats,
    tango_load,
    watched,
    writer,
)
from benchmarks.peers import commit
from benchmarks.report import Row

BENCHMARKS: dict[str, Callable[[int], Iterator[Row]]] = {
    "repeater": repeater.bare_loops,
    "receivers": receivers.receivers,
    "m_split": repeater.m_split,
    "proxy": forwarding.zmq_proxy,
    "pvapy": forwarding.pvapy,
    "writer": writer.uncompressed,
    "packing": compressed.packing,
    "packed": compressed.arriving,
    "polled": polled.with_clients,
    "status": polled.with_status_requests,
    "watched": watched.with_monitors,
    "tango": tango_load.under_load,
    "pictures": pictures.pictures,
    "processing": processing.processing,
    "pipelines": pipelines.pipelines,
    "page": page.shown,
    "pva": pva.two_clients,
    "receiving": messages.receiving,
    "decoding": messages.decoding,
    "reading": reading.through_h5py,
    "splitting": messages.splitting,
    "ring": ring.rings,
    "bsread": stream_formats.raw,
    "bsread_packed": stream_formats.packed,
}
"""Each takes the number of rounds and yields the rows of its table."""

SINCE = {"repeater": since.repeater, "writer": since.writer}
"""Those that compare with an earlier commit."""

ROUNDS, QUICK_ROUNDS = 9, 3


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure, and write it down.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"only these: {', '.join(BENCHMARKS)}")
    parser.add_argument("--rounds", type=int, help=f"pairs of each measurement (default: {ROUNDS})")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_ROUNDS} pairs, the documentation stays")
    parser.add_argument(
        "--base", metavar="COMMIT", help=f"against this tree at an earlier commit: {', '.join(SINCE)}"
    )
    options = parser.parse_args()
    benchmarks = _since(options.base) if options.base else BENCHMARKS
    named = [f"{name}_since" if options.base else name for name in options.names]
    if unknown := set(named) - benchmarks.keys():
        parser.error(f"no benchmark is named {', '.join(sorted(unknown))}; there are {', '.join(benchmarks)}")
    rounds = options.rounds or (QUICK_ROUNDS if options.quick else ROUNDS)
    for name in named or benchmarks:
        rows = []
        for row in benchmarks[name](rounds):
            print(f"{name:10}", "  ".join(row.cells), file=sys.stderr, flush=True)
            rows.append(row)
        if rows and not options.quick:
            report.put(name, rows)


def _since(base: str) -> dict[str, Callable[[int], Iterator[Row]]]:
    build = commit.at(base)
    return {f"{name}_since": partial(compare, base=build) for name, compare in SINCE.items()}


if __name__ == "__main__":
    main()
