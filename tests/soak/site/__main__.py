"""The command: ``python -m tests.soak.site --duration 30m --seed 1 --report soak.md``."""

from __future__ import annotations

import argparse
import os
import random
import shutil
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from tests.page.browser import NAMES
from tests.soak.site.beamline import Beamline, Late
from tests.soak.site.client import LOOKS
from tests.soak.site.crowd import Crowd
from tests.soak.site.programs import marked
from tests.soak.site.report import Report
from tests.soak.site.shift import Shift, traces
from tests.storage import Storage, build

UNITS = {"s": 1, "m": 60, "h": 3600}
MARK = "REPSTREAM_SOAK_SITE"
KILLS = 1 / 3
"""The part of the time in which processes are killed; what lives then is to stay flat."""
END_TIME = 10.0
"""Seconds that processes have to be gone."""


def seconds(text: str) -> float:
    """``90``, ``90s``, ``30m`` or ``4h``."""
    number, unit = (text[:-1], text[-1]) if text[-1:] in UNITS else (text, "s")
    return float(number) * UNITS[unit]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak.site", description=__doc__)
    parser.add_argument("--duration", type=seconds, default=60.0, help="such as 60s, 30m, 4h")
    parser.add_argument("--rounds", type=int, default=0, help="this many acquisitions instead")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--rate", type=float, default=100.0, help="frames a second")
    parser.add_argument("--clients", default="", help="kinds of clients, separated by commas; all")
    parser.add_argument("--report", type=Path, help="write the summary there, as markdown")
    parser.add_argument("--keep", type=Path, help="folder for files and logs, which stay there")
    given = parser.parse_args(arguments)
    kinds = tuple(filter(None, given.clients.split(","))) or tuple(LOOKS)
    if not any(map(shutil.which, NAMES)):
        kinds = tuple(kind for kind in kinds if kind != "page")
    print(f"seed {given.seed}, clients: {', '.join(kinds)}", flush=True)
    report = Report(given.seed)
    with ExitStack() as stack:
        folder = given.keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="soak-")))
        folder.mkdir(parents=True, exist_ok=True)
        _run(report, folder, given, kinds)
        if given.keep:
            (folder / "usage.csv").write_text("\n".join(report.usage.lines()))
    text = report.markdown()
    print(f"\n{text}", flush=True)
    if given.report:
        given.report.write_text(text)
    return 1 if report.wrong else 0


def _run(report: Report, folder: Path, given: argparse.Namespace, kinds: tuple[str, ...]) -> None:
    mark = f"{MARK}={os.getpid()}-{given.seed}"
    os.environ[MARK] = mark.partition("=")[2]
    compiler = shutil.which("gcc") or shutil.which("cc")
    storage = Storage(build(compiler, folder / "storage.so"), folder) if compiler else None
    begun = time.monotonic()
    end = begun + given.duration
    dice = random.Random(given.seed)
    line = Beamline(folder, given.rate, dice, storage)
    crowd = Crowd(line.ports, dice, kinds)
    try:
        line.ready()
        shift = Shift(line, crowd, report, dice, KILLS * given.duration)
        rounds = iter(range(given.rounds))
        goes_on = (
            (lambda: next(rounds, None) is not None) if given.rounds else (lambda: time.monotonic() < end)
        )
        shift.run(goes_on, lambda text: print(text, flush=True))
        shift.end()
    except Late as error:
        report.wrong.append(str(error))
    finally:
        crowd.close()
        report.wrong += [f"{name} did not end when it was asked to" for name in line.close()]
    report.seconds = time.monotonic() - begun
    report.wrong += traces(folder)
    until = time.monotonic() + END_TIME
    while (left := list(marked(mark))) and time.monotonic() < until:
        time.sleep(0.2)
    report.wrong += [f"process {pid} is left" for pid in left]


if __name__ == "__main__":
    sys.exit(main())
