"""Pages that begin with nothing, followed from their first block on (`walk.py`)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.recipes.blocks import ROOT
from tests.recipes.walk import WALKS


@pytest.mark.timeout(300)
@pytest.mark.parametrize("page", WALKS, ids=lambda page: Path(page).stem)
def test_a_page_can_be_followed(page: str, tmp_path: Path) -> None:
    alone = ["unshare", "-rnm", "--pid", "--fork", "--kill-child"]
    if subprocess.run([*alone, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this system lets nobody have namespaces")
    line = [*alone, sys.executable, "-m", "tests.recipes.walk", page, str(tmp_path)]
    walked = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=280, check=False)
    assert walked.returncode == 0, walked.stdout + walked.stderr
