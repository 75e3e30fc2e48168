"""What `import repstream` offers: all of it public, sorted, and nothing else."""

from __future__ import annotations

import ast
import builtins
import inspect
from pathlib import Path

import pytest

import repstream
import repstream_cli
import repstream_epics
import repstream_http
import repstream_tango
from repstream import errors

PACKAGES = (repstream, repstream_cli, repstream_epics, repstream_http, repstream_tango)

EXPORTING = [
    path
    for package in PACKAGES
    for path in sorted(Path(package.__path__[0]).rglob("*/__init__.py"))
    if "import" in path.read_text()
]
"""Packages within packages that have something to offer."""


def test_the_public_names_are_sorted_and_complete() -> None:
    public = [
        name
        for name, value in vars(repstream).items()
        if getattr(value, "__module__", "").startswith("repstream.") and not name.startswith("_")
    ]
    assert repstream.__all__ == sorted(repstream.__all__)
    assert set(repstream.__all__) == {*public, "Client", "__version__"}
    assert dir(repstream) == repstream.__all__


@pytest.mark.parametrize("path", EXPORTING, ids=lambda path: path.parent.name)
def test_a_package_exports_what_it_imports_and_does_nothing_else(path: Path) -> None:
    statements = ast.parse(path.read_text()).body[1:]
    imports = [s for s in statements if isinstance(s, ast.ImportFrom) and s.module != "__future__"]
    others = [s for s in statements if not isinstance(s, ast.ImportFrom | ast.Assign)]
    imported = {alias.asname or alias.name for s in imports for alias in s.names}
    assert others == []
    assert ast.literal_eval(_assigned(statements, "__all__")) == sorted(imported, key=_ruffs_order)


def _assigned(statements: list[ast.stmt], name: str) -> ast.expr:
    found = [s.value for s in statements if isinstance(s, ast.Assign) and ast.unparse(s.targets[0]) == name]
    assert len(found) == 1
    return found[0]


def _ruffs_order(name: str) -> tuple[int, str]:
    """Constants, classes, functions, as ruff sorts them."""
    return (0 if name.isupper() else 1 if name[0].isupper() else 2, name)


def test_every_error_can_be_caught_by_its_public_name() -> None:
    raised = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, Exception)
    }
    assert raised <= set(repstream.__all__)


def test_every_error_is_declared_in_one_file() -> None:
    known = {name for name, value in vars(errors).items() if _is_error(value)}
    known |= {name for name, value in vars(builtins).items() if _is_error(value)}
    found = []
    for path in (path for package in PACKAGES for path in Path(package.__path__[0]).rglob("*.py")):
        classes = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ClassDef)]
        bases = {c.name: {ast.unparse(base).rpartition(".")[2] for base in c.bases} for c in classes}
        found += [f"{path.name}: {name}" for name, base in bases.items() if base & known]
    assert {line.partition(":")[0] for line in found} == {"errors.py"}, found


def _is_error(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, BaseException)


def test_every_public_name_is_explained() -> None:
    for name in repstream.__all__:
        if name != "__version__":
            assert inspect.getdoc(getattr(repstream, name)), name
