"""Durations are never taken from the clock on the wall, which people and time servers set."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROOMS = ("engine", "device_servers", "ioc", "rest", "cli")

STAMPS = {
    "cli/repstream_cli/doctor/security.py": 1,
    "cli/repstream_cli/tokens.py": 1,
    "engine/repstream/dataplane/repeater.py": 1,
    "engine/repstream/service/repeater.py": 1,
    "rest/repstream_http/journal.py": 1,
}
"""Where the wall's time is meant: now, less a monotonic duration, and the date on which something expires."""


def compared(tree: ast.AST) -> Iterator[ast.AST]:
    """What is subtracted from the wall's time, from which it is subtracted, or that is compared with it."""
    for node in ast.walk(tree):
        match node:
            case ast.BinOp(left=left, op=ast.Sub(), right=right) if is_wall(left) or is_wall(right):
                yield node
            case ast.Compare(left=left, comparators=others) if any(map(is_wall, (left, *others))):
                yield node


def is_wall(node: ast.AST) -> bool:
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Name(id="time"), attr="time" | "time_ns")):
            return True
        case ast.Call(func=ast.Attribute(value=ast.Name(id="datetime"), attr="now" | "utcnow" | "today")):
            return True
    return False


def test_no_duration_is_taken_from_the_clock_on_the_wall() -> None:
    found: Counter[str] = Counter()
    for room in ROOMS:
        for path in (ROOT / room).rglob("*.py"):
            if number := len(list(compared(ast.parse(path.read_text())))):
                found[str(path.relative_to(ROOT))] = number
    assert found == STAMPS
