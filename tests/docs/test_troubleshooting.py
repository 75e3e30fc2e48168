"""Every text that the page of troubleshooting quotes is one that the software says."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/how-to/troubleshooting.md"
ROOMS = ("engine", "device_servers", "ioc", "rest", "cli")
OF_OTHERS = (
    "can't open file … filter",
    "cannot bind tcp://…",
    "Set value for attribute … is below the minimum authorized (at least element 0)",
)
"""Texts of other programs, and the one that tests/engine/sources and tests/engine/dataplane hold."""

QUOTED = [
    text
    for text in re.findall(r"^\*\*`(.+?)`\*\*", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    if text not in OF_OTHERS
]


@cache
def said() -> str:
    """Every text in the code, a line each; what is filled in is a gap: `…`."""
    lines = []
    for room in ROOMS:
        for path in (ROOT / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    lines.append(node.value)
                elif isinstance(node, ast.JoinedStr):
                    parts = (str(p.value) if isinstance(p, ast.Constant) else "…" for p in node.values)
                    lines.append("".join(parts))
    return "\n".join(line.replace("\n", " ") for line in lines)


def test_the_page_quotes_something() -> None:
    assert len(QUOTED) > 15


@pytest.mark.parametrize("quoted", QUOTED)
def test_a_quoted_text_is_in_the_code(quoted: str) -> None:
    fragments = [f for f in re.split("…|(?<=: )", quoted.replace("; ", "; …")) if len(f.strip()) > 3]
    assert fragments, "nothing but gaps"
    missing = [fragment for fragment in fragments if fragment.strip(" ;:,") not in said()]
    assert not missing, f"nothing says {missing}"


def test_a_text_that_nothing_says_is_found() -> None:
    with pytest.raises(AssertionError, match="nothing says"):
        test_a_quoted_text_is_in_the_code("the … has run out of ink")
