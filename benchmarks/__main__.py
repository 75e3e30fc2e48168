"""All benchmarks, or those that are named: ``python -m benchmarks [NAME …] [--quick]``.

Each writes its table into docs/performance.md and its plot and figures beside it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator

from benchmarks import (
    compressed,
    forwarding,
    messages,
    page,
    pictures,
    polled,
    processing,
    pva,
    reading,
    repeater,
    report,
    ring,
    stream_formats,
    writer,
)
from benchmarks.report import Row

BENCHMARKS: dict[str, Callable[[int], Iterator[Row]]] = {
    "repeater": repeater.bare_loops,
    "m_split": repeater.m_split,
    "proxy": forwarding.zmq_proxy,
    "pvapy": forwarding.pvapy,
    "writer": writer.uncompressed,
    "packing": compressed.packing,
    "packed": compressed.arriving,
    "polled": polled.with_clients,
    "status": polled.with_status_requests,
    "pictures": pictures.pictures,
    "processing": processing.processing,
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

ROUNDS, QUICK_ROUNDS = 9, 3


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure, and write it down.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"only these: {', '.join(BENCHMARKS)}")
    parser.add_argument("--rounds", type=int, help=f"pairs of each measurement (default: {ROUNDS})")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_ROUNDS} pairs, the documentation stays")
    options = parser.parse_args()
    if unknown := set(options.names) - BENCHMARKS.keys():
        parser.error(f"no benchmark is named {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}")
    rounds = options.rounds or (QUICK_ROUNDS if options.quick else ROUNDS)
    for name in options.names or BENCHMARKS:
        rows = []
        for row in BENCHMARKS[name](rounds):
            print(f"{name:10}", "  ".join(row.cells), file=sys.stderr, flush=True)
            rows.append(row)
        if rows and not options.quick:
            report.put(name, rows)


if __name__ == "__main__":
    main()
