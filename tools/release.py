"""Make a release: `make release VERSION=0.2.0`. Nothing leaves this machine."""

from __future__ import annotations

import argparse
import datetime
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
VERSION = re.compile(r"\d+\.\d+\.\d+")
IN_PROJECT = re.compile(r'^version = "(.+)"$', re.MULTILINE)
IN_RECIPE = re.compile(r'^  version: "(.+)"$', re.MULTILINE)
UNRELEASED = re.compile(r"^## \[Unreleased\]\n(.*?)(?=^## \[|\Z)", re.MULTILINE | re.DOTALL)

RECORD = """
import sys
from pathlib import Path
from repstream.parameters import storage
from repstream.parameters.configuration import Configuration
made = Configuration.model_validate({"streams": {"live": {}}, "writers": {"main": {}}})
storage.save(made, Path(sys.argv[1]))
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Release, or say why not; then nothing was changed."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("version")
    options.add_argument("--root", type=Path, default=ROOT)
    options.add_argument(
        "--check", default="make test", help="what must succeed first (default: %(default)s)"
    )
    options.add_argument(
        "--build", default=".ci/build dist", help="what makes sdist and wheel (default: %(default)s)"
    )
    given = options.parse_args(arguments)
    root, version = given.root, given.version
    if reason := refusal(root, version):
        sys.exit(f"no release: {reason}")
    if subprocess.run(given.check, shell=True, cwd=root, check=False).returncode:
        sys.exit(f"no release: `{given.check}` fails")
    bump(root, version, datetime.datetime.now(datetime.UTC).date())
    recorded = root / f"tests/data/configurations/{version}.json"
    run(root, sys.executable, "-c", RECORD, str(recorded))
    run(root, *shlex.split(given.build))
    run(root, "git", "add", "pyproject.toml", "CHANGELOG.md", "deploy", str(recorded))
    run(root, "git", "commit", "--quiet", "-m", f"Release {version}")
    run(root, "git", "tag", "-a", f"v{version}", "-m", f"repstream {version}")
    print(f"git push --follow-tags\npython -m twine upload dist/repstream-{version}*")


def refusal(root: Path, version: str) -> str:
    """Why this cannot be released; empty if it can."""
    held = IN_PROJECT.search((root / "pyproject.toml").read_text())
    assert held is not None
    if not VERSION.fullmatch(version):
        return f"{version!r} is no version such as 1.2.3"
    if numbers(version) < numbers(held[1]) or f"v{version}" in run(root, "git", "tag").split():
        return f"{version} must be above {held[1]} and not be tagged yet"
    if run(root, "git", "status", "--porcelain"):
        return "the tree is not clean; commit first"
    said = UNRELEASED.search((root / "CHANGELOG.md").read_text())
    return "" if said and "- " in said[1] else "CHANGELOG.md says nothing under Unreleased"


def bump(root: Path, version: str, day: datetime.date) -> None:
    """Write the version, and its date, wherever they stand."""
    for name, pattern in (("pyproject.toml", IN_PROJECT), ("deploy/conda/recipe.yaml", IN_RECIPE)):
        path = root / name
        path.write_text(pattern.sub(lambda m: m[0].replace(m[1], version), path.read_text(), count=1))
    changes = root / "CHANGELOG.md"
    heading = f"## [Unreleased]\n\n## [{version}] - {day.isoformat()}\n"
    changes.write_text(changes.read_text().replace("## [Unreleased]\n", heading, 1))


def numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def run(root: Path, *command: str) -> str:
    """What a command prints; ends this program where it fails."""
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command[:3])}: {done.stderr}")
    return done.stdout


if __name__ == "__main__":
    main()
