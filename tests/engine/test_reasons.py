"""What a refusal must say, where a rule can be stated: what the system refuses comes with what to do.

`Address already in use` says what happened; the one who reads it needs to know what to do about it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("engine", "cli", "rest", "ioc", "device_servers")
REFUSALS = {"Refused", "InvalidValue", "PortTakenError", "_refused"}


def ends_with_the_systems_words(reason: ast.expr) -> bool:
    """Whether the text ends with what a system call said, and goes on with nothing."""
    if not isinstance(reason, ast.JoinedStr) or not isinstance(reason.values[-1], ast.FormattedValue):
        return False
    last = ast.unparse(reason.values[-1].value)
    return "strerror" in last


def found_in(source: str) -> Iterator[int]:
    """Lines of refusals that leave the reader with the system's words."""
    tree = ast.parse(source)
    texts = {
        target.id: node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Raise) or not isinstance(node.exc, ast.Call) or not node.exc.args:
            continue
        if ast.unparse(node.exc.func).rpartition(".")[2] not in REFUSALS:
            continue
        for argument in node.exc.args:
            reason = texts.get(argument.id) if isinstance(argument, ast.Name) else argument
            if reason is not None and ends_with_the_systems_words(reason):
                yield node.lineno


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("raise Refused('a', f'cannot bind: {error.strerror}')", [1]),
        ("reason = f'no: {zmq.strerror(e)}'\nraise Refused('a', reason)", [2]),
        ("raise Refused('a', f'cannot bind: {error.strerror}; take another port')", []),
        ("raise Refused('a', 'no file is set; set output_file')", []),
    ],
)
def test_what_is_looked_for_is_found(source: str, lines: list[int]) -> None:
    assert list(found_in(source)) == lines


def test_no_refusal_ends_with_the_systems_words() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for room in ROOMS
        for path in sorted((ROOT / room).rglob("*.py"))
        for line in found_in(path.read_text())
    ]
    assert found == []
