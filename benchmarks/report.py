"""Rows of the table in the documentation, and how they get there."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.pairs import Measured

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGE = DOCS / "performance.md"
HEAD = ("what", "against", "target", "measured", "quartiles", "ours", "theirs", "pairs")


@dataclass(frozen=True)
class Row:
    """One line: what was measured, and what is to be reached. `most`: the target is an upper limit."""

    what: str
    target: float
    measured: Measured
    unit: str = "1/s"
    most: bool = False

    @property
    def reached(self) -> bool:
        ratio = round(self.measured.ratio, 2)
        return ratio <= self.target if self.most else ratio >= self.target

    @property
    def cells(self) -> tuple[str, ...]:
        m = self.measured
        return (
            self.what,
            m.peer,
            f"{'≤' if self.most else '≥'} {self.target:g}",
            f"**{m.ratio:.2f}**{'' if self.reached else ' (missed)'}",
            f"{m.low:.2f} – {m.high:.2f}",
            f"{_figure(m.ours)} {self.unit}",
            f"{_figure(m.theirs)} {self.unit}",
            str(m.pairs),
        )


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def table(rows: Iterable[Row]) -> str:
    lines = [HEAD, tuple("---" for _ in HEAD), *(row.cells for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def put(name: str, rows: Sequence[Row]) -> None:
    """Put the table, its plot and its figures in place of those of an earlier run of benchmark `name`."""
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    text = PAGE.read_text()
    head, rest = text.split(begin, 1)
    tail = rest.split(end, 1)[1]
    folder = DOCS / "performance"
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")
    picture = ""
    if _plot(folder / f"{name}.svg", rows):
        picture = f"\n\n![{name}: measured ratios and targets](performance/{name}.svg)"
    PAGE.write_text(f"{head}{begin}\n{table(rows)}{picture}\n{end}{tail}")


def _plot(path: Path, rows: Sequence[Row]) -> bool:
    """A bar a row, its quartiles, and the target as a mark; whether matplotlib is there to draw it."""
    try:
        from matplotlib.figure import Figure  # noqa: PLC0415 - an optional extra
    except ImportError:
        return False
    figure = Figure(figsize=(8, 0.8 + 0.32 * len(rows)), layout="constrained")
    axes = figure.subplots()
    places = range(len(rows))
    ratios = [row.measured.ratio for row in rows]
    errors = [
        [max(0.0, row.measured.ratio - row.measured.low) for row in rows],
        [max(0.0, row.measured.high - row.measured.ratio) for row in rows],
    ]
    colours = ["tab:green" if row.reached else "tab:orange" for row in rows]
    axes.barh(places, ratios, xerr=errors, color=colours, height=0.6, alpha=0.8)
    axes.plot([row.target for row in rows], places, "k|", markersize=16, markeredgewidth=2, label="target")
    axes.set_yticks(places, [row.what for row in rows])
    axes.invert_yaxis()
    axes.set_xlabel("ratio to the ceiling or peer (median, quartiles)")
    axes.set_xlim(left=0)
    axes.legend(loc="lower right")
    figure.savefig(path, metadata={"Date": None})
    return True
