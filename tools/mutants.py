"""Do the tests notice when the code is wrong? ``make mutants [MUTANTS="ROOM… [--sample N [--seed N]]"]``

Changes the code of a room at one place after another, with mutmut, and runs the tests that pass there. What
survives is listed with its change: either a test is missing or the change makes no difference; those that
make none stand in ``equivalent_mutants.toml`` and do not count. The work is done on a copy below
``build/mutants``.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
SURVIVED = {0: "survived", 5: "no test passes there", 33: "no test passes there"}
"""What mutmut keeps of a change that nobody noticed; any other end of the tests is a death."""

EQUIVALENT = Path(__file__).with_name("equivalent_mutants.toml")

PROGRAM_SECONDS = 30.0
"""How long a file of tests that start programs may take where nothing is wrong."""


class Room(NamedTuple):
    """What is changed, and the tests that should notice, both without wildcards below their folders.

    `programs`: tests that run the code in processes which they start. Nobody sees what these pass, so all of
    them are run for every change that the others did not notice.
    """

    code: tuple[str, ...]
    tests: tuple[str, ...]
    programs: tuple[str, ...] = ()


def _all(folder: str, *names: str) -> tuple[str, ...]:
    return tuple(f"{folder}/{name}.py" for name in names)


ROOMS = {
    "accounting": Room(
        ("accounting/*",), _all("tests/engine", "test_accounting", "test_merged", "test_reordering")
    ),
    "states": Room(("states.py",), ("tests/engine/test_states.py",)),
    "policies": Room(("policies/*",), ("tests/engine/policies",)),
    "places": Room(
        (*_all("files", "gaps", "chunk_index", "plan"), "dataplane/storing/placement.py"),
        (
            *_all("tests/engine/files", "test_gaps", "test_chunk_nodes", "test_plan"),
            "tests/engine/dataplane/test_placement.py",
        ),
    ),
    "files": Room(
        _all(
            "files",
            "confinement",
            "fence",
            "frame_file",
            "growing",
            "image_places",
            "paths",
            "placeholder",
            "publish",
            "raw_io",
            "results",
            "series",
            "stated_end",
        ),
        _all(
            "tests/engine/files",
            "test_confinement",
            "test_experiment",
            "test_frame_file",
            "test_gathered",
            "test_late",
            "test_late_name",
            "test_placeholder",
            "test_series",
        ),
        _all("tests/engine/files", "test_fence", "test_paths", "test_power_cut", "test_storage_faults"),
    ),
    "selecting": Room(
        _all("dataplane/writing", "selection", "gate", "fit", "numbering", "kept_frames", "trigger"),
        _all("tests/engine/dataplane", "test_selection", "test_gate", "test_fit"),
    ),
    "writing": Room(
        _all(
            "dataplane/writing",
            "acquisition",
            "disk_meter",
            "file_job",
            "file_results",
            "following",
            "frame_queue",
            "spill",
            "time_limits",
            "writer",
        ),
        _all(
            "tests/engine/dataplane",
            "test_acquisitions",
            "test_bursts",
            "test_disk_meter",
            "test_following",
            "test_opening",
            "test_overlap",
            "test_spill",
            "test_time_limits",
        ),
    ),
    "storing": Room(
        _all("dataplane/storing", "columns", "frame_store", "image_kind", "metadata", "packing", "unjudged"),
        _all(
            "tests/engine/dataplane",
            "test_channels",
            "test_file_options",
            "test_frame_store",
            "test_metadata",
            "test_packing",
        ),
    ),
}


def copied(name: str, room: Room) -> Path:
    """A folder in which mutmut finds this room as it wants it: packages below ``src``, a configuration."""
    folder = ROOT / "build" / "mutants" / name
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(ROOT / "engine", folder / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(
        ROOT / "tests", folder / "tests", ignore=shutil.ignore_patterns("__pycache__", "node_modules")
    )
    # What is not there when Python starts is not looked for again.
    (folder / "mutants" / "src").mkdir(parents=True)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    pytest = project["tool"]["pytest"]["ini_options"]
    arguments = ["-p", "no:cacheprovider", "-p", "no:xdist", "--timeout", str(pytest["timeout"])]
    (folder / "pyproject.toml").write_text(
        "[tool.mutmut]\n"
        'source_paths = ["src"]\n'
        f"only_mutate = {json.dumps([f'src/repstream/{code}' for code in room.code])}\n"
        f"pytest_add_cli_args_test_selection = {json.dumps(room.tests)}\n"
        # A process that has run tests has threads: each change is tried in a fork of one that has not.
        'process_isolation = "forkserver"\n'
        f"pytest_add_cli_args = {json.dumps(arguments)}\n"
        "[tool.pytest.ini_options]\n"
        f"addopts = {json.dumps(pytest['addopts'])}\n"
        f"markers = {json.dumps(pytest['markers'])}\n"
    )
    return folder


def mutmut(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Programs that tests start find the changed code, too."""
    environment = os.environ | {"PYTHONPATH": str(folder / "mutants" / "src")}
    command = [sys.executable, "-m", "mutmut", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, text=True, capture_output=True, check=False)


def add_programs(folder: Path, programs: tuple[str, ...]) -> None:
    """Have these tests run for each change from now on."""
    path = folder / "mutants" / "mutmut-stats.json"
    stats = json.loads(path.read_text())
    stats["duration_by_test"] |= dict.fromkeys(programs, PROGRAM_SECONDS)
    tests_of = stats["tests_by_mangled_function_name"]
    for function in {name.rpartition("__mutmut_")[0] for name in verdicts(folder)}:
        tests_of[function] = sorted({*tests_of.get(function, ()), *programs})
    path.write_text(json.dumps(stats))


def verdicts(folder: Path) -> dict[str, int | None]:
    """The exit status of the tests by mutant; None: not tried."""
    found: dict[str, int | None] = {}
    for path in sorted((folder / "mutants").rglob("*.meta")):
        found |= json.loads(path.read_text())["exit_code_by_key"]
    return found


def tried(name: str, sample: int, seed: int, children: int) -> tuple[dict[str, int], Path]:
    """The exit status of the tests by change, for all changes of a room or a random sample of them."""
    folder = copied(name, ROOMS[name])
    # Makes the changes and notes which tests pass where; it finds none of this name to try.
    made = mutmut(folder, "run", "--max-children", str(children), "none")
    names = sorted(verdicts(folder))
    if not names or not (folder / "mutants" / "mutmut-stats.json").exists():
        said = f"{made.stdout[-3000:]}{made.stderr[-3000:]}"
        sys.exit(f"mutmut made no changes, or the tests fail without any:\n{said}")
    chosen = random.Random(seed).sample(names, sample) if 0 < sample < len(names) else names
    done = mutmut(folder, "run", "--max-children", str(children), *chosen)
    found = {key: code for key, code in verdicts(folder).items() if key in chosen and code is not None}
    alive = [key for key, code in found.items() if code in SURVIVED]
    if alive and ROOMS[name].programs:
        add_programs(folder, ROOMS[name].programs)
        done = mutmut(folder, "run", "--max-children", str(children), *alive)
        found |= {key: code for key, code in verdicts(folder).items() if key in alive and code is not None}
    if len(found) < len(chosen):
        print(done.stdout[-3000:], done.stderr[-3000:], sep="\n")
        print(f"{name}: {len(chosen) - len(found)} of {len(chosen)} changes were not tried")
    return found, folder


def function_of(key: str) -> str:
    """``files.gaps.Ranges.add``, of mutmut's name for a change of it."""
    module, _, mangled = key.rpartition("__mutmut_")[0].rpartition(".")
    name = mangled.removeprefix("x_").removeprefix("xǁ").replace("ǁ", ".")
    return f"{module.removeprefix('repstream.')}.{name}"


def differences(shown: str) -> tuple[str, str]:
    """The lines that a change takes out and puts in, without their indentation."""
    lines = [line for line in shown.splitlines() if not line.startswith(("---", "+++"))]
    before, after = (" ".join(x[1:].strip() for x in lines if x.startswith(sign)) for sign in "-+")
    return before, after


def equivalent() -> frozenset[tuple[str, str, str]]:
    """Changes that make no difference: function, lines before and after."""
    listed = tomllib.loads(EQUIVALENT.read_text())["equivalent"]
    return frozenset((each["function"], each["before"], after) for each in listed for after in each["after"])


def main() -> int:
    """Report each room; 1 if more than one change in ten survives in one of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rooms", nargs="*", choices=[[], *ROOMS], help=f"of {', '.join(ROOMS)}; default: all")
    parser.add_argument("--sample", type=int, default=0, help="try this many changes of each room; 0: all")
    parser.add_argument("--seed", type=int, default=0, help="which ones")
    parser.add_argument("--children", type=int, default=2, help="processes that try changes")
    given = parser.parse_args()
    status, known = 0, equivalent()
    for name in given.rooms or ROOMS:
        found, folder = tried(name, given.sample, given.seed, given.children)
        shown = {key: mutmut(folder, "show", key).stdout for key, code in found.items() if code in SURVIVED}
        alive = [key for key in shown if (function_of(key), *differences(shown[key])) not in known]
        for key in alive:
            print(f"\n{function_of(key)}: {SURVIVED[found[key] or 0]}\n{shown[key]}")
        judged = len(found) - len(shown) + len(alive)
        print(
            f"{name}: {judged - len(alive)} of {judged} changes are noticed"
            f" ({len(found) - judged} more make no difference);"
            f" {len(verdicts(folder))} possible, seed {given.seed}",
            flush=True,
        )
        status |= len(alive) * 10 > judged
    return status


if __name__ == "__main__":
    sys.exit(main())
