"""Both ways to fit and to count."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import pytest

from repstream.processing.solvers import SOLVERS, Solvers


@cache
def compiled() -> Solvers:
    """Those of numba, ready."""
    made = Solvers()
    made.prepare(wait=100)
    assert made.ready
    return made


@pytest.fixture(params=["numba", "scipy"])
def solvers(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Solvers]:
    """Runs a test with each of them in use."""
    used = compiled() if request.param == "numba" else Solvers()
    monkeypatch.setattr(SOLVERS, "minimise", used.minimise)
    monkeypatch.setattr(SOLVERS, "profiles", used.profiles)
    yield used
