"""The examples that stand in Markdown pages, as they can be run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted([*ROOT.glob("docs/how-to/*.md"), *ROOT.glob("docs/tutorials/*.md")])]
SHELLS = {"sh", "bash", ""}

_FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INDENTED = re.compile(r"(?:^    .*\n(?:\n(?=    ))?)+", re.MULTILINE)
_PROGRAMS = (
    *("camera_server", "caget", "caput", "cat", "curl", "export", r"gf_\w+", r"m_\w+", "make", "openssl"),
    *("pip", "pipeline_server", "procServ", "pvmonitor", "repstream", "sudo", "URL="),
)
_COMMAND = re.compile(f"({'|'.join(_PROGRAMS)}) ?")


@dataclass(frozen=True)
class Block:
    """One example: its page, its place there (from 1), its language (``python`` or ``sh``)."""

    page: str
    number: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{Path(self.page).name}-{self.number}-{self.language}"

    @property
    def starts(self) -> bool:
        """Whether it begins an acquisition, so that it has an end to look at."""
        return bool(
            re.search(r"\.start\(\)|\.Start\(\)|Wr1:Start\b|\"Start\"|writers\.main\.start", self.text)
        )


def blocks(page: Path) -> Iterator[Block]:
    """Every block of Python or shell commands of a page, in order."""
    text = page.read_text(encoding="utf-8")
    fenced = [(m.start(), m[1], m[2]) for m in _FENCED.finditer(text)]
    rest = _FENCED.sub(lambda m: "\n" * m[0].count("\n"), text)
    indented = [(_offset(text, rest, m.start()), "", _dedent(m[0])) for m in _INDENTED.finditer(rest)]
    found = sorted([*fenced, *(block for block in indented if _COMMAND.match(block[2]))])
    for number, (_, language, body) in enumerate(found, 1):
        if language == "python" or (language in SHELLS and _COMMAND.match(body)):
            yield Block(str(page.relative_to(ROOT)), number, "python" if language == "python" else "sh", body)


def _offset(text: str, rest: str, place: int) -> int:
    """Where the line at `place` of `rest` begins in `text`."""
    line = rest.count("\n", 0, place)
    return sum(len(each) for each in text.splitlines(True)[:line])


def _dedent(text: str) -> str:
    return "\n".join(line[4:] for line in text.splitlines()) + "\n"
