"""What is installed, and whether it is new enough."""

from __future__ import annotations

import platform
import re
from collections.abc import Iterator
from importlib import metadata

from repstream.states import is_in_error
from repstream.version import __version__
from repstream_cli.doctor.finding import Finding, fail, ok, warn
from repstream_cli.doctor.site import Site
from repstream_cli.front_ends import NEEDS, installed

_REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+)(?:\[[^]]*\])? *>= *([\d.]+)")
_NUMBER = re.compile(r"\d+")
_DEVELOPMENT = re.compile(r"extra == .(dev|unit|bench|readers).")


def packages(_: Site) -> Iterator[Finding]:
    """This package, its front ends, and the libraries that they need."""
    yield ok("installation", f"repstream {__version__} on Python {platform.python_version()}")
    there = [front_end for front_end in NEEDS if installed(front_end)]
    absent = [front_end for front_end in NEEDS if front_end not in there]
    found = f"front ends installed: {', '.join(there) or 'none'}"
    yield ok("installation", found + (f"; not installed: {', '.join(absent)}" if absent else ""))
    yield from too_old(metadata.requires("repstream") or [])


def too_old(requirements: list[str]) -> Iterator[Finding]:
    """Libraries that are missing or older than required; those of extras only where they are there."""
    wrong = 0
    for requirement in requirements:
        match = _REQUIREMENT.match(requirement)
        if match is None or _DEVELOPMENT.search(requirement):
            continue
        name, least = match.groups()
        command = f"pip install '{name}>={least}'"
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            if "extra ==" not in requirement:
                wrong += 1
                yield fail("installation", f"{name} is not installed", "install it", command)
            continue
        if _numbers(version) < _numbers(least):
            wrong += 1
            found = f"{name} {version} is older than the {least} that this version needs"
            yield fail("installation", found, "install a newer one", command)
    if not wrong:
        yield ok("installation", "all libraries are as new as this version needs")


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, _NUMBER.findall(version)[:3]))


def engine(site: Site) -> Iterator[Finding]:
    """How a running engine is."""
    seen = site.engine
    if seen is None:
        return
    if seen.version != __version__:
        yield warn(
            "engine",
            f"the engine {seen.name} is of version {seen.version}, this is {__version__}",
            "front ends and engine belong together; install the same version",
            f"pip install repstream=={seen.version}",
        )
    if is_in_error(seen.state):
        yield fail(
            "engine",
            f"{seen.name} is in ERROR: {seen.last_error}",
            "mend that, then `initialize` starts it again",
        )
    elif seen.losing:
        yield fail(
            "engine",
            f"{seen.name} is {seen.state} and loses frames",
            "its counters say where: missing, malformed or dropped, with reasons",
            "repstream status --json",
        )
    else:
        yield ok("engine", f"{seen.name} on {seen.host} is {seen.state}")
