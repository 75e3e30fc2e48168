"""Each error is raised by somebody, says all that it knows, and goes through a pipe whole."""

from __future__ import annotations

import ast
import inspect
import pickle
from pathlib import Path

import pytest

from repstream import errors
from repstream.errors import RepstreamError, RequestError

ROOT = Path(__file__).parents[2]
ROOMS = ("engine", "cli", "rest", "ioc", "device_servers", "panels")
BASES = {RepstreamError, RequestError}
"""What is caught, and never raised."""
ALL = [e for e in vars(errors).values() if inspect.isclass(e) and issubclass(e, RepstreamError)]
GIVEN = {"allowed": ("a", "b"), "line": 3, "code": 4}


def made(error: type[RepstreamError]) -> RepstreamError:
    """One with something for everything that it knows."""
    if error.__init__ is RepstreamError.__init__:
        return error("its text")
    return error(*(GIVEN.get(name, f"its {name}") for name in inspect.signature(error).parameters))


def names_in(path: Path) -> set[str]:
    """The classes of which the code makes one."""
    calls = (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call))
    return {ast.unparse(call.func).rpartition(".")[2] for call in calls}


@pytest.mark.parametrize("error", ALL, ids=lambda error: error.__name__)
def test_an_error_goes_through_a_pipe_whole(error: type[RepstreamError]) -> None:
    before = made(error)
    after = pickle.loads(pickle.dumps(before))
    assert (type(after), str(after), vars(after)) == (type(before), str(before), vars(before))
    untold = {"traceback", "allowed", "code", "said"}
    assert all(str(value) in str(before) for name, value in vars(before).items() if name not in untold)


def test_each_error_is_raised_somewhere_and_bases_never() -> None:
    found: set[str] = set()
    for path in (path for room in ROOMS for path in (ROOT / room).rglob("*.py")):
        found |= names_in(path)
    assert {error.__name__ for error in ALL if error not in BASES} <= found
    assert not {error.__name__ for error in BASES} & found


def test_the_tree_in_the_text_is_that_of_the_classes() -> None:
    drawn = [line for line in (errors.__doc__ or "").splitlines() if "─ " in line]
    depth = {line.partition("─ ")[2].split()[0]: (line.index("─ ") - 5) // 4 for line in drawn}
    below = [error for error in ALL if error is not RepstreamError]
    assert list(depth) == [error.__name__ for error in below]
    for error in below:
        assert depth[error.__name__] == len(error.__mro__) - len(RepstreamError.__mro__) - 1, error
