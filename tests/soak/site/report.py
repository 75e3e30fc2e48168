"""What a run has found, as text for people and as markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from tests.soak.site.usage import Usage


@dataclass
class Row:
    """All acquisitions with one fault."""

    rounds: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    images: int = 0
    recovery: float = 0.0
    wrong: int = 0


@dataclass
class Report:
    """`counts`: numbers by what they count; `wrong`: a sentence for each thing that was not as it must be."""

    seed: int
    seconds: float = 0.0
    rows: dict[str, Row] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    usage: Usage = field(default_factory=Usage)
    wrong: list[str] = field(default_factory=list)

    def row(self, name: str) -> Row:
        return self.rows.setdefault(name, Row())

    def markdown(self) -> str:
        return "\n".join(self._lines()) + "\n"

    def _lines(self) -> Iterator[str]:
        rounds = sum(row.rounds for row in self.rows.values())
        yield (
            f"{self.seconds / 60:.1f} minutes, seed {self.seed}: {rounds} acquisitions, "
            f"{len(self.wrong)} things wrong."
        )
        yield ""
        yield from table(
            (
                "In an acquisition",
                "acquisitions",
                "ended as",
                "images in files",
                "longest way back (s)",
                "wrong",
            ),
            (
                (
                    name,
                    row.rounds,
                    ", ".join(f"{outcome} {n}" for outcome, n in sorted(row.outcomes.items())),
                    row.images,
                    f"{row.recovery:.1f}",
                    row.wrong,
                )
                for name, row in sorted(self.rows.items())
            ),
        )
        yield ""
        yield from table(("Counted", "number"), self.counts.items())
        yield ""
        yield from table(
            ("Process that lived longest", "samples", "memory (MB)", "threads", "descriptors"),
            (
                (
                    name,
                    number,
                    f"{before.memory / 1e6:.0f} → {after.memory / 1e6:.0f}",
                    f"{before.threads} → {after.threads}",
                    f"{before.descriptors} → {after.descriptors}",
                )
                for name, number, before, after in self.usage.rows()
            ),
        )
        if self.wrong:
            yield ""
            yield from (f"- WRONG: {text}" for text in self.wrong)


def table(head: Sequence[object], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    yield _line(head)
    yield _line(["---"] * len(head))
    yield from map(_line, rows)


def _line(cells: Sequence[object] | Mapping[str, object]) -> str:
    return f"| {' | '.join(map(str, cells))} |"
