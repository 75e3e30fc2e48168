"""Acquisition after acquisition, with something going wrong in each; the account at the end."""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import repstream
from tests.cli.processes import still_alive
from tests.soak.site.accounts import Found, judged
from tests.soak.site.beamline import PATIENCE, Beamline, Late
from tests.soak.site.client import PICTURE, WANTED
from tests.soak.site.crowd import Crowd
from tests.soak.site.faults import FAULTS, Fault
from tests.soak.site.report import Report

DEFAULTS: dict[str, object] = {
    "compression": "none",
    "checksum": "none",
    "sync_interval": 0.0,
    "images_per_file": 0,
    "number_of_parts": 1,
    "placement": "arrival",
    "buffer_size": 5000,
    "spill_folder": "",
}
LAYOUTS: dict[str, dict[str, object]] = {
    "plain": {},
    "compressed": {"compression": "bitshuffle_lz4", "checksum": "xxh3"},
    "synced": {"sync_interval": 0.05},
    "several files": {"images_per_file": 17},
    "parts": {"number_of_parts": 2},
    "by id": {"placement": "by_id"},
    "spilled": {"buffer_size": 8},
}
IMAGES = (20, 120)
"""The fewest and the most images of an acquisition."""
REST_EVERY = 3
"""Acquisitions between two looks at what processes take."""
MOST_WAIT = 0.7
"""The part of the time for its images after which the latest fault of an acquisition begins."""
PAIRS = 0.2
"""How often two things go wrong in one acquisition, once each has been tried alone."""
SECOND_LOOK = 5.0
"""Seconds between two looks of a client, in which a new picture comes on a busy machine too."""
WITH_PICTURES = ("tango", "pva", "http", "page")
MOST_LATE = 3
"""Times that something does not come after which the run is given up."""


class Shift:
    """One run on a beamline. `kills`: seconds from the beginning in which processes may be killed."""

    def __init__(
        self, line: Beamline, crowd: Crowd, report: Report, dice: random.Random, kills: float
    ) -> None:
        self._line, self._crowd, self._report, self._dice = line, crowd, report, dice
        self._kills_end = time.monotonic() + kills
        self._deck: list[Fault] = []
        self._decks = self._rounds = self._late = 0
        self._lost = 0

    def run(self, goes_on: Callable[[], bool], say: Callable[[str], None]) -> None:
        """Acquisitions until `goes_on` says no, or things do not come any more."""
        while goes_on() and self._late < MOST_LATE:
            faults = self._draw()
            layout = next((f.layout for f in faults if f.layout), "") or self._dice.choice(list(LAYOUTS))
            name = " and ".join(fault.name for fault in faults)
            self._rounds += 1
            wrong: list[str] = []
            row = self._report.row(name if len(faults) == 1 else "two of them at once")
            row.rounds += 1
            begun = time.monotonic()
            try:
                found, back = self._acquire(faults, layout, wrong)
                row.outcomes[found.outcome] += 1
                row.images += found.images
                row.recovery = max(row.recovery, back)
            except (Late, repstream.RepstreamError, OSError) as error:
                self._late += 1
                wrong.append(f"{type(error).__name__}: {error}")
                self._let_go(faults)
            row.wrong += len(wrong)
            say(
                f"{self._rounds} {layout}, {name}: {', '.join(row.outcomes) if wrong else found.outcome}, "
                f"{time.monotonic() - begun:.1f} s"
            )
            for text in wrong:
                self._report.wrong.append(f"acquisition {self._rounds} ({layout}, {name}): {text}")
                say(f"  WRONG: {text}")
            self._crowd.change()
            if self._rounds % REST_EVERY == 0:
                self._look()

    def end(self) -> None:
        """Account for all frames, and compare what all clients see."""
        wrong = self._report.wrong
        self._crowd.dismiss()
        self._line.ready()
        wrong += self._pictures()
        self._line.drained()
        self._report.counts |= self._counts()
        wrong += self._last_life()
        wrong += self._streams()
        wrong += self._clients()
        wrong += self._report.usage.faults()

    def _draw(self) -> list[Fault]:
        """What goes wrong next: each fault once, in a new order each time."""
        killing = time.monotonic() < self._kills_end or not self._decks
        if not self._deck:
            self._deck = [
                f
                for f in FAULTS
                if (killing or not f.kills) and (self._line.storage is not None or not f.storage)
            ]
            self._dice.shuffle(self._deck)
            self._decks += 1
        fault = self._deck.pop()
        if self._decks < 2 or fault.layout or self._dice.random() >= PAIRS:
            return [fault]
        others = [f for f in FAULTS if f.name != fault.name and not (f.storage or f.layout)]
        return [fault, self._dice.choice([f for f in others if killing or not f.kills])]

    def _acquire(self, faults: list[Fault], layout: str, wrong: list[str]) -> tuple[Found, float]:
        """One acquisition; what became of it, and how long frames did not come in after the last fault."""
        line = self._line
        line.ready()
        folder = line.folder / f"run{self._rounds}"
        folder.mkdir()
        number = self._dice.randint(*IMAGES)
        before = line.processes()
        line.killed.clear()  # the kernel gives their numbers to others after a while
        writer = {**DEFAULTS, **LAYOUTS[layout], "output_file": str(folder / "scan.h5"), "num_images": number}
        if layout == "spilled":
            writer["spill_folder"] = str(line.folder)
        line.client.write({f"writers.main.{name}": value for name, value in writer.items()})
        line.client.execute("writers.main.start")
        which = line.value("writers.main.start_id")
        for fault in faults:
            line.rest(self._dice.uniform(0.0, MOST_WAIT * number / line.rate))
            fault.begin(line)
            line.rest(self._dice.uniform(*fault.hold))
            fault.end(line)
        begun = time.monotonic()
        reported = line.reported(which)
        shown: dict[str, Any] = line.settled()
        line.ready()
        back = time.monotonic() - begun if any(f.kills for f in faults) else 0.0
        shown = shown if shown["acquisition_id"] == which else {}
        gone = line.killed | (set(before.values()) - set(line.processes().values()))
        if any(fault.kills for fault in faults) and (left := still_alive(gone, PATIENCE)):
            wrong.append(f"processes {left} of before are still there")
        found = Found(folder / "scan.h5", number, shown, int(shown.get("num_written") or reported))
        wrong += judged(found, line.detector.ids, line.detector.images)
        allowed = frozenset[str]().union(*(fault.outcomes for fault in faults))
        if found.outcome not in allowed:
            message = shown.get("acq_message", "")
            wrong.append(f"ended as {found.outcome} ({message}), not as {' or '.join(sorted(allowed))}")
        if found.outcome == "completed" and found.images + found.missing * (layout == "by id") != number:
            wrong.append(f"completed with {found.images} of {number} images")
        if not wrong:
            shutil.rmtree(folder)
        return found, back

    def _let_go(self, faults: list[Fault]) -> None:
        for fault in faults:
            fault.end(self._line)

    def _look(self) -> None:
        """Note what processes take while nobody visits."""
        self._crowd.dismiss()
        self._line.ready()
        self._line.rest(0.5)
        for name, pid, taken in self._line.taken():
            self._report.usage.note(name, pid, taken)

    def _counts(self) -> dict[str, int]:
        line, account = self._line, self._line.detector.snapshot()
        lost = 0
        ends = [life.base for life in line.lives[1:]] + [account]
        for life, end in zip(line.lives, ends, strict=True):
            sent = end.since(life.base)
            lost += sent.frames + sent.garbage - life.counted.get("messages", 0)
        files = sum(row.images for row in self._report.rows.values())
        return {
            "frames sent": account.frames,
            "frames received, as last reported": sum(life.counted.get("received", 0) for life in line.lives),
            "images in files, each compared with what was sent": files,
            "frames on their way to a process that was killed, or not reported by it": lost,
            "garbage messages": account.garbage,
            "frame ids left out by the detector": account.left_out,
            "frames sent twice": account.repeated,
            "starts of the service": line.serve.starts,
            "starts of the repeater": len(line.lives),
            "visits of clients": self._crowd.visits,
        }

    def _last_life(self) -> Iterator[str]:
        """Since the last start of the repeater nothing was killed: all counts are exact."""
        life = self._line.lives[-1]
        sent = self._line.detector.snapshot().since(life.base)
        for name, number in (
            ("received", sent.frames),
            ("malformed", sent.garbage),
            ("duplicates", sent.repeated),
            ("missing", sent.left_out),
        ):
            if life.counted[name] != number:
                yield f"source.{name} is {life.counted[name]}, the detector's account says {number}"

    def _streams(self) -> Iterator[str]:
        for name in ("live", "all"):
            key = f"streams.{name}."
            parts = {part: self._line.value(key + part) for part in ("sent", "skipped", "dropped", "queued")}
            if self._line.value(key + "offered") != sum(parts.values()):
                yield f"stream {name}: {self._line.value(key + 'offered')} offered, {parts}"

    def _pictures(self) -> Iterator[str]:
        """Whoever looked at pictures before it all still sees new ones."""
        first = self._crowd.seen(PATIENCE)
        self._line.rest(SECOND_LOOK)
        for kind, seen in self._crowd.seen(PATIENCE).items():
            before, now = (look and look["values"].get(PICTURE) for look in (first[kind], seen))
            if before is not None and before == now:
                yield f"the client of {kind} sees the same picture after {SECOND_LOOK:.0f} s, {now}"
            if before is None and kind in WITH_PICTURES:
                yield f"the client of {kind} sees no picture"

    def _clients(self) -> Iterator[str]:
        """All who stayed see the same, whatever they went through."""
        for kind, seen in self._crowd.seen(PATIENCE).items():
            if seen is None:
                yield f"the client of {kind} that stayed sees nothing any more"
                continue
            self._report.counts[f"looks through {kind}"] = seen["looks"]
            for key in WANTED if seen["values"].keys() >= set(WANTED) else ():
                if (value := seen["values"][key]) != (right := self._line.value(key)):
                    yield f"{kind} shows {key} = {value}, it is {right}"


def traces(folder: Path) -> Iterator[str]:
    """Faults of ours in the logs of all programs."""
    for log in sorted(folder.glob("*.log")):
        if number := log.read_text(errors="replace").count("Traceback (most recent call last)"):
            yield f"{log.name} has {number} tracebacks"
