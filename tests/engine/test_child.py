"""What child processes find in their environment."""

from __future__ import annotations

import pytest

from repstream import child


def test_idle_threads_of_openmp_sleep_unless_somebody_wants_them_to_spin(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    assert child.environment()["OMP_WAIT_POLICY"] == "passive"
    monkeypatch.setenv("OMP_WAIT_POLICY", "active")
    assert child.environment()["OMP_WAIT_POLICY"] == "active"


def test_no_secret_is_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in child.SECRET_VARIABLES:
        monkeypatch.setenv(name, "secret")
    assert not child.SECRET_VARIABLES & child.environment().keys()
