"""One call to the storage fails, in whichever process of an engine it is made, the service among them.

Settings are kept, a configuration is saved and loaded, folders are made, files begun and closed meanwhile.
The short form fails some of the calls with the errors in turn. The longer ones fail each call: once, with the
errors in turn, or with each error.
"""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import pytest

import repstream
from repstream.client import Client
from tests.cli.running import started
from tests.ports import free_port, ports_in_a_row
from tests.soak.site.programs import Program
from tests.storage import ERRORS, Storage, errors_of
from tests.waiting import until

QUIET = ("--no-tango", "--no-epics", "--no-http")
IMAGES = 4
CALLS = {
    "open": 5,
    "write": 7,
    "read": 5,
    "stat": 7,
    "fsync": 3,
    "rename": 2,
    "mkdir": 1,
    "close": 7,
    "unlink": 2,
}
"""The kinds of calls, and of how many the short form fails one."""
MOST = 300
"""Calls of a kind, at most; beyond it the loop would never end."""


class Site(NamedTuple):
    engine: Client
    folder: Path
    storage: Storage
    log: Path
    receivers: int


@contextmanager
def site_of(shim: Path, folder: Path, receivers: int) -> Iterator[Site]:
    """An engine with so many receivers on that storage, with settings below ``kept/``."""
    (folder / "kept").mkdir()
    storage = Storage(shim, folder)
    address, source = (f"tcp://127.0.0.1:{free_port()}" for _ in range(2))
    live = f"tcp://127.0.0.1:{ports_in_a_row(receivers)}"
    tree = {
        "schema_version": 1,
        "source": {"address": source, "receivers": receivers},
        "streams": {"live": {"address": live, "mode": "PUB"}},
        "writers": {"main": {"folder": str(folder)}},
    }
    (folder / "site.json").write_text(json.dumps(tree))
    detector = ("simulate", "-a", source, "--size", "16x16", "--rate", 500, "-n", 0, "-q")
    line = ("serve", "--engine-address", address, "--root", folder, "--config", folder / "site.json")
    command = (
        sys.executable,
        "-m",
        "repstream_cli",
        *line,
        "--settings",
        folder / "kept" / "engine.json",
        *QUIET,
    )
    serve = Program("serve", command, folder, storage.environment)
    try:
        with started(*detector), repstream.Client(address, timeout=100) as engine:
            with suppress(repstream.Unanswered):  # it goes on
                engine.execute("engine.start").wait(100)
            engine.wait("source.received", bool, timeout=100)
            engine.write("streams.live.every_nth", 2)
            until((folder / "kept" / "engine.json").exists, "the first settings")
            yield Site(engine, folder, storage, serve.log, receivers)
    finally:
        storage.does("")
        assert serve.stop()


@pytest.fixture(scope="module")
def site(shim: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site_of(shim, tmp_path_factory.mktemp("site"), 1) as site:
        yield site


@pytest.fixture(scope="module")
def shared(shim: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Two receivers, which share the images of an acquisition: a file each, and one over them."""
    with site_of(shim, tmp_path_factory.mktemp("shared"), 2) as site:
        yield site


def answer(act: Any) -> str:
    """The reason for which it was refused or ended otherwise, empty where it was done."""
    try:
        handle = act()
    except repstream.Refused as error:
        return str(error)
    except repstream.EngineFault as error:
        return str(error)
    try:
        return "" if handle is None or (end := handle.wait(100)).ok else end.message
    except TimeoutError as error:
        return str(error)


def all_that_touches_files(site: Site, number: int) -> dict[str, str]:
    """What an operator does in an hour; the reason of each that was not done."""
    engine, saved = site.engine, site.folder / "kept" / "run-copy.json"
    target = site.folder / f"run-{number}" / "deep" / "scan.h5"
    writer = {"output_file": str(target), "create_directory": -2, "num_images": IMAGES}
    found = {
        "write": answer(lambda: engine.write({f"writers.main.{k}": v for k, v in writer.items()})),
        "save": answer(lambda: engine.execute("engine.save_config", str(saved))),
        "start": answer(lambda: engine.execute("writers.main.start")),
        "stop": answer(lambda: engine.execute("engine.stop")),
        "load": answer(lambda: engine.execute("engine.load_config", str(saved))) if saved.exists() else "",
        "again": answer(lambda: engine.execute("engine.start")),
    }
    saved.unlink(missing_ok=True)
    return found


def check(site: Site, number: int, found: dict[str, str], *, call: str, hit: str, error: str) -> None:
    """What must be so after one call failed with this error for the path `hit`."""
    engine = site.engine
    for what, reason in found.items():
        if reason:
            assert hit, f"{what} failed without a fault: {reason}"
            assert ERRORS[error] in reason, f"{what}: {reason}"
            assert any(name in reason for name in Path(hit).parts[-3:]), f"{what}: {reason}"
    beat = int(str(engine.read("engine.heartbeat")))
    assert engine.read("engine.state") == "RUNNING"
    target = site.folder / f"run-{number}" / "deep" / "scan.h5"
    if not found["start"]:
        with h5py.File(target) as file:
            assert len(file["/entry/data/data"]) == IMAGES
            assert file["/entry/acquisition/outcome"][()] == b"completed"
    elif call != "close" and target.exists():  # whose results are in it and on the disk when it is closed
        with h5py.File(target) as file:
            assert file["/entry/acquisition/outcome"][()] != b"completed"
    assert [p for p in site.folder.rglob("*.tmp") if "run-" in str(p)] == []
    json.loads((site.folder / "kept" / "engine.json").read_text())
    assert beat >= 0


def fail_each(
    site: Site, call: str, errors: Sequence[str], numbers: range, part: str
) -> tuple[int, list[str]]:
    failed, wrong = 0, []
    for n, error in zip(numbers, itertools.cycle(errors), strict=False):
        number = next(NUMBERS)
        site.storage.fails(call, n, error, part)
        found = all_that_touches_files(site, number)
        hit = site.storage.hit
        site.storage.does("")
        try:
            check(site, number, found, call=call, hit=hit, error=error)
        except (AssertionError, OSError, KeyError) as problem:
            wrong.append(f"{call} {n} {error} at {hit}: {found}\n{problem}")
            site.engine.execute("engine.reset")
            answer(lambda: site.engine.execute("engine.start"))
        if not hit:
            break
        failed += 1
    return failed, wrong


NUMBERS = itertools.count(1)


def settled(site: Site) -> None:
    """The settings are saved in the end, whatever failed, and nothing of ours has gone wrong unseen."""
    site.engine.write("streams.live.every_nth", next(NUMBERS))
    kept = site.folder / "kept" / "engine.json"
    wanted = site.engine.read("streams.live.every_nth")
    until(lambda: json.loads(kept.read_text())["streams"]["live"]["every_nth"] == wanted, "the settings")
    assert "Traceback" not in site.log.read_text()


def fail_some(site: Site, part: str, spread: int = 1) -> None:
    wrong: list[str] = []
    for call, every in CALLS.items():
        wrong += fail_each(site, call, errors_of(call), range(1, MOST, every * spread), part)[1]
    assert not wrong, "\n\n".join(wrong)
    settled(site)


def fail_once(site: Site, part: str, call: str) -> None:
    count, wrong = fail_each(site, call, errors_of(call), range(1, MOST), part)
    print(f"{site.receivers} receivers, {part}: {call} failed {count} times, the errors in turn")
    assert not wrong, "\n\n".join(wrong)
    settled(site)


def fail_all(site: Site, part: str, call: str) -> None:
    wrong: list[str] = []
    for error in errors_of(call):
        count, more = fail_each(site, call, [error], range(1, MOST), part)
        print(f"{site.receivers} receivers, {part}: {call} failed {count} times with {error}")
        wrong += more
    assert not wrong, "\n\n".join(wrong)
    settled(site)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("part", ["/run-", "/kept/"])
def test_some_calls_that_fail(site: Site, part: str) -> None:
    fail_some(site, part)


@pytest.mark.timeout(300)
def test_some_calls_that_fail_with_several_receivers(shared: Site) -> None:
    fail_some(shared, "/run-", spread=7)


@pytest.mark.soak
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("part", ["/run-", "/kept/"])
def test_each_call_fails_once(site: Site, part: str, call: str) -> None:
    fail_once(site, part, call)


@pytest.mark.soak
@pytest.mark.parametrize("call", CALLS)
def test_each_call_fails_once_with_several_receivers(shared: Site, call: str) -> None:
    fail_once(shared, "/run-", call)


@pytest.mark.soak
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("part", ["/run-", "/kept/"])
def test_whichever_call_fails_with_whatever_error(site: Site, part: str, call: str) -> None:
    fail_all(site, part, call)


@pytest.mark.soak
@pytest.mark.parametrize("call", CALLS)
def test_whichever_call_fails_with_several_receivers(shared: Site, call: str) -> None:
    fail_all(shared, "/run-", call)
