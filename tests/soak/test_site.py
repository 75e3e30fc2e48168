"""The site on which everything fails at random, in short: `make soak-site` for as long as one likes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.soak.site.__main__ import main, seconds

CLIENTS = "tango,epics,pva,http,websocket"


@pytest.mark.timeout(280)
def test_whatever_fails_every_frame_is_accounted_for(tmp_path: Path) -> None:
    report = tmp_path / "report.md"
    folder = tmp_path / "site"
    code = main(["--rounds", "6", "--clients", CLIENTS, "--report", str(report), "--keep", str(folder)])
    assert code == 0, report.read_text()


@pytest.mark.parametrize(("text", "wanted"), [("90", 90), ("45s", 45), ("30m", 1800), ("4h", 14_400)])
def test_durations(text: str, wanted: float) -> None:
    assert seconds(text) == wanted
