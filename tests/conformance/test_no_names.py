"""Front ends project the catalogue and never name a parameter: no literal in their code is one.

What is not looked at: docstrings, the examples of the HTTP documentation, and names that are common words
(``state``), unless a group stands before them. Facades are tables over keys and name them.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from repstream.parameters.catalogue import build
from repstream.protocol import Completion

ROOT = Path(__file__).parents[2]
TABLES = {"areadetector", "compat", "lima", "levels.py"}
MODULES = [
    path
    for room in ("device_servers", "ioc", "rest")
    for path in sorted((ROOT / room).rglob("*.py"))
    if not TABLES & set(path.parts)
]
CATALOGUE = build()
FILE_COLUMNS = {"image_id"}
EVENT = set(Completion.__struct_fields__)  # has an acquisition_id of its own
FIELDS = {p.field for p in CATALOGUE.parameters.values() if "_" in p.field} - FILE_COLUMNS - EVENT
HEADS = tuple(f"{group}." for group in CATALOGUE.groups)
COMMANDS = {command.key for command in CATALOGUE.commands.values()}


def literals(tree: ast.AST) -> Iterator[str]:
    """The texts in a piece of code, without docstrings and examples."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            continue
        if isinstance(node, ast.keyword) and node.arg == "examples":
            continue
        if isinstance(node, ast.Dict):
            given = zip(node.keys, node.values, strict=True)
            node.values = [v for k, v in given if not (isinstance(k, ast.Constant) and k.value == "examples")]
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        yield from literals(node)


def named(source: str) -> list[str]:
    """The parameters that a piece of code names."""
    found = literals(ast.parse(source))
    return [t for t in found if t in FIELDS or (t.startswith(HEADS) and t not in COMMANDS)]


def test_there_are_front_ends_to_look_at() -> None:
    assert len(MODULES) > 30


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_front_end_names_a_parameter(path: Path) -> None:
    assert named(path.read_text()) == []


@pytest.mark.parametrize(
    "source",
    ['KEY = "engine.state"', 'key = f"writers.{slot}.state"', 'values["num_images"]', 'f(x, "acq_state")'],
)
def test_a_name_would_be_found(source: str) -> None:
    assert len(named(source)) == 1


@pytest.mark.parametrize("source", ['"""engine.state"""', 'Field(examples=["source.mode"])', 'x = "state"'])
def test_what_is_no_name_is_not(source: str) -> None:
    assert named(source) == []
