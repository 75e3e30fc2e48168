from __future__ import annotations

import json
from pathlib import Path

from tests.cli.running import repstream
from tests.engine.files.test_verify import damage, written


def test_the_exit_code_of_verify_tells_scripts(tmp_path: Path) -> None:
    path = written(tmp_path / "a.h5", list(range(9)), kind="xxh3")
    good = repstream("verify", path)
    assert (good.returncode, good.stdout.splitlines()[-1]) == (0, "complete")
    damage(path, 4)
    bad = repstream("verify", "--json", path)
    assert bad.returncode == 1
    assert json.loads(bad.stdout)["damaged"] == [[4, "wrong checksum"]]
    unreadable = repstream("verify", tmp_path / "nothing.h5")
    assert (unreadable.returncode, unreadable.stdout) == (2, "")
    assert "does not exist" in unreadable.stderr


def test_follow_tells_how_a_file_ended_and_gives_up_in_time(tmp_path: Path) -> None:
    failed = repstream("follow", written(tmp_path / "a.h5", [0, 1], outcome="failed"))
    assert failed.returncode == 1
    assert failed.stdout == "2 images, last id 1, failed\n"
    killed = repstream("follow", "--timeout", 0.2, "--json", written(tmp_path / "b.h5", [0, 5], outcome=""))
    assert killed.returncode == 3
    assert json.loads(killed.stdout) == {"images": 2, "last_id": 5, "outcome": "unfinished"}
    assert repstream("follow", "--timeout", 0.2, tmp_path / "nothing.h5").returncode == 3
