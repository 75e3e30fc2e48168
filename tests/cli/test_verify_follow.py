from __future__ import annotations

import json
from pathlib import Path

from tests.cli.running import repstream, run_here
from tests.engine.files.test_verify import damage, written


def test_the_exit_code_of_verify_tells_scripts(tmp_path: Path) -> None:
    path = written(tmp_path / "a.h5", list(range(9)), kind="xxh3")
    good = repstream("verify", path)
    assert (good.returncode, good.stdout.splitlines()[-1]) == (0, "complete")
    damage(path, 4)
    bad = run_here("verify", "--json", path)
    assert bad.returncode == 1
    assert json.loads(bad.stdout)["damaged"] == [[4, "wrong checksum"]]
    unreadable = run_here("verify", tmp_path / "nothing.h5")
    assert (unreadable.returncode, unreadable.stdout) == (2, "")
    assert "does not exist" in unreadable.stderr


def test_verify_has_an_exit_code_for_a_file_that_was_cut_short(tmp_path: Path) -> None:
    path = written(tmp_path / "a.h5", list(range(4)), requested=10, outcome="interrupted")
    seen = run_here("verify", path)
    assert (seen.returncode, seen.stdout.splitlines()[-1]) == (4, "CUT SHORT: 4 of 10 images")
    as_json = json.loads(run_here("verify", "--json", path).stdout)
    assert (as_json["complete"], as_json["cut_short"]) == (True, True)
    open_number = written(tmp_path / "b.h5", list(range(4)), outcome="interrupted")
    assert run_here("verify", open_number).returncode == 0


def test_follow_tells_how_a_file_ended_and_gives_up_in_time(tmp_path: Path) -> None:
    failed = repstream("follow", written(tmp_path / "a.h5", [0, 1], outcome="failed"))
    assert failed.returncode == 1
    assert failed.stdout == "2 images, last id 1, failed\n"
    killed = run_here("follow", "--timeout", 0.2, "--json", written(tmp_path / "b.h5", [0, 5], outcome=""))
    assert killed.returncode == 3
    assert json.loads(killed.stdout) == {"images": 2, "last_id": 5, "outcome": "unfinished"}
    assert run_here("follow", "--timeout", 0.2, tmp_path / "nothing.h5").returncode == 3
