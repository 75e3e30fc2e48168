"""Whether memory, threads and descriptors of processes stay flat."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from statistics import median

from tests.soak.site.programs import Taken

ENOUGH = 6
"""Samples of a process from which on they say something."""
GROWTH = 1.10
SLACK = Taken(8_000_000, 2, 3)
"""What a process may take more in the last third of its samples than in the second, beside `GROWTH`."""


@dataclass
class Usage:
    """Samples by name and process, in order."""

    samples: dict[tuple[str, int], list[Taken]] = field(default_factory=dict)

    def note(self, name: str, pid: int, taken: Taken) -> None:
        self.samples.setdefault((name, pid), []).append(taken)

    def lines(self) -> Iterator[str]:
        """Every sample: name, process, and what it took."""
        for (name, pid), samples in self.samples.items():
            yield from (",".join(map(str, (name, pid, *sample))) for sample in samples)

    def rows(self) -> Iterator[tuple[str, int, Taken, Taken]]:
        """Of each name's process with most samples: how many, the middle third's, the last third's."""
        most: dict[str, list[Taken]] = {}
        for (name, _), samples in self.samples.items():
            if len(samples) > len(most.get(name, ())):
                most[name] = samples
        for name, samples in sorted(most.items()):
            third = max(1, len(samples) // 3)
            yield (
                name,
                len(samples),
                _typical(samples[-2 * third : -third] or samples),
                _typical(samples[-third:]),
            )

    def faults(self) -> Iterator[str]:
        """What has grown, a sentence each."""
        for name, number, before, after in self.rows():
            if number < ENOUGH:
                continue
            most = Taken(
                int(before.memory * GROWTH) + SLACK.memory,
                before.threads + SLACK.threads,
                before.descriptors + SLACK.descriptors,
            )
            for what, was, now, limit in zip(Taken._fields, before, after, most, strict=True):
                if now > limit:
                    yield f"{name}: {what} went from {was} to {now}"


def _typical(samples: list[Taken]) -> Taken:
    return Taken(*(int(median(values)) for values in zip(*samples, strict=True)))
