"""All ways to fit and to count."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from unittest.mock import patch

import pytest

from repstream.processing import minpack
from repstream.processing.solvers import SOLVERS, Solvers


@cache
def compiled() -> Solvers:
    """Those of numba, ready."""
    made = Solvers()
    made.prepare(wait=100)
    assert made.ready
    return made


@cache
def plain() -> Solvers:
    """Those of a place without numba."""
    path = Path(minpack.__file__).with_name("levenberg.py")
    spec = importlib.util.spec_from_file_location("levenberg_without_numba", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with patch.dict(sys.modules, {"numba": None}):
        spec.loader.exec_module(module)
    assert module.njit is None
    made = Solvers()
    made.minimise = module.minimise
    return made


SOLVERS_BY_NAME = {"numba": compiled, "scipy": Solvers, "neither": plain}


@pytest.fixture(params=SOLVERS_BY_NAME)
def solvers(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Solvers]:
    """Runs a test with each of them in use."""
    used = SOLVERS_BY_NAME[request.param]()
    monkeypatch.setattr(SOLVERS, "minimise", used.minimise)
    monkeypatch.setattr(SOLVERS, "compiled", used.compiled)
    yield used
