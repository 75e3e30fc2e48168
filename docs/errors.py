"""The reference page of errors: their tree, and the texts that the page of troubleshooting explains."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path

from repstream import errors
from repstream.errors import RepstreamError

TROUBLES = Path(__file__).parent / "how-to/troubleshooting.md"
QUOTED = re.compile(r"^\*\*`(.+?)`\*\*", re.MULTILINE)


def page(note: str) -> str:
    """The page."""
    lines = [
        note,
        "# Errors",
        "",
        "All that this project raises on purpose, to be caught as `repstream.Refused` and so on. Anything",
        "else that is raised is a fault of ours.",
        "",
        "| Error | What it says |",
        "|---|---|",
        *_tree(RepstreamError, 0),
        "",
        "## By their text",
        "",
        "In the order of the alphabet; `…` stands for names and figures.",
        "",
        "| Text | explained under |",
        "|---|---|",
        *(
            f"| `{text}` | [{section}](../how-to/troubleshooting.md#{anchor(section)}) |"
            for text, section in texts()
        ),
    ]
    return "\n".join(lines) + "\n"


def texts() -> list[tuple[str, str]]:
    """What the page of troubleshooting quotes, with the section that explains it, in order."""
    sections = re.split(r"^## ", TROUBLES.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    found = [(t, s.splitlines()[0]) for s in sections for t in QUOTED.findall(s)]
    return sorted(found, key=lambda pair: re.sub(r"\W", "", pair[0]).lower())


def anchor(title: str) -> str:
    """What GitHub and the site call a heading."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def _tree(error: type[RepstreamError], depth: int) -> Iterator[str]:
    text = (inspect.getdoc(error) or "").split("\n\n")[0].replace("\n", " ")
    yield f"| {'&emsp;' * depth}`{error.__name__}` | {text} |"
    for below in error.__subclasses__():
        if below.__module__ == errors.__name__:
            yield from _tree(below, depth + 1)
