"""The mirror in Redis, with a real server that comes and goes."""

from __future__ import annotations

import json
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from repstream.link.history import History
from repstream.protocol import Requester
from repstream.service.service import Service
from repstream_http.compat.std_daq.daq import Daq
from repstream_http.compat.std_daq_redis import mirror
from repstream_http.compat.std_daq_redis.mirror import Mirror
from tests.fakes import FakePlane
from tests.integration.rig import until
from tests.redis_server import Server
from tests.rest.compat.test_std_daq import CONFIG

ME = Requester("test")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path)
    yield server
    server.client.close()
    server.stop()


@pytest.fixture
def history(running: tuple[Service, FakePlane]) -> Iterator[History]:
    with closing(History(running[0])) as history:
        yield history


def write(running: tuple[Service, FakePlane], path: Path, images: int = 2) -> None:
    """One acquisition from begin to end."""
    service, plane = running
    service.write({"writers.1.output_file": str(path), "writers.1.num_images": images}, ME)
    handle = service.execute("writers.1.start", None, ME)
    plane.receive(images)
    assert handle.wait(20).ok


def files(server: Server) -> list[str]:
    return [Path(log["info"]["output_file"]).name for log in server.documents("daq:log")]


def test_the_streams_hold_what_the_rest_interface_says(
    running: tuple[Service, FakePlane], history: History, server: Server, tmp_path: Path
) -> None:
    server.start()
    with Mirror(running[0], history, server.url):
        daq = Daq(running[0], history)
        daq.configure(CONFIG, ME)
        daq.configure({"bit_depth": 32}, ME)
        write(running, tmp_path / "a.h5")
        until(lambda: files(server) == ["a.h5"], "the log")
        until(lambda: server.documents("daq:status")[-1] == daq.writer(), "the status")
        assert server.documents("daq:log") == daq.logs(1)
        states = [s["acquisition"]["state"] for s in server.documents("daq:status") if s["acquisition"]]
        ways = [state for n, state in enumerate(states) if not n or states[n - 1] != state]
        assert ways == ["WAITING_IMAGES", "ACQUIRING_IMAGES", "FLUSHING_IMAGES", "FINISHED"]
        configs = server.client.xrange("daq:config")
        assert [json.loads(fields["json"])["bit_depth"] for _, fields in configs] == [16, 32]
        assert configs[-1][0] == daq.config()[1]
        report = server.client.xrange(f"daq:config:{configs[-1][0]}")[0][1]
        assert report["message"] == "Done"
        assert report["server_name"]
        log_id = server.client.xrange("daq:log")[0][0]
        assert log_id == running[0].read("writers.1.acquisition_id").value
        assert server.client.xrange(f"daq:log:{log_id}")[0][1]["message"] == "Completed."
        until(lambda: len(server.documents("daq:stat")) > 1, "statistics")
        assert set(server.documents("daq:stat")[0]) == {"detector", "writer"}


def test_a_redis_that_was_away_gets_all_that_it_missed_and_nothing_twice(
    running: tuple[Service, FakePlane],
    history: History,
    server: Server,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    write(running, tmp_path / "before.h5")
    with Mirror(running[0], history, server.url, namespace="daq"):
        until(lambda: "waits" in caplog.text, "the warning")
        write(running, tmp_path / "absent.h5")
        server.start()
        until(lambda: files(server) == ["before.h5", "absent.h5"], "what it missed")
        server.stop()
        Daq(running[0], history).configure(CONFIG, ME)
        write(running, tmp_path / "gone.h5")
        server.start()  # another one: it has nothing of before
        until(lambda: files(server) == ["before.h5", "absent.h5", "gone.h5"], "all again")
        assert server.documents("daq:config") == [CONFIG]
        until(lambda: server.documents("daq:status")[-1]["state"] == "READY", "the status")
    assert len([r for r in caplog.records if r.levelname == "WARNING" and "Redis at" in r.message]) == 2
    with Mirror(running[0], history, server.url):
        write(running, tmp_path / "again.h5")
        until(lambda: files(server)[-1] == "again.h5", "the next one")
        assert files(server) == ["before.h5", "absent.h5", "gone.h5", "again.h5"]
        assert server.documents("daq:config") == [CONFIG]


def test_a_redis_that_never_answers_holds_up_nothing(
    running: tuple[Service, FakePlane],
    history: History,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(mirror, "PATIENCE", 0.3)
    with ExitStack() as stack:
        deaf = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        silent = Mirror(running[0], history, f"redis://127.0.0.1:{deaf.getsockname()[1]}")
        silent.start()
        for n in range(3):
            write(running, tmp_path / f"{n}.h5")
        until(lambda: "waits" in caplog.text, "the warning")
        begun = time.monotonic()
        silent.close()
        assert time.monotonic() - begun < 10
    assert not [t for t in threading.enumerate() if t.name == "redis mirror"]


def test_what_waits_is_bounded(
    running: tuple[Service, FakePlane], history: History, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mirror, "MOST_WAITING", 3)
    with Mirror(running[0], history, server.url):
        for n in range(10):
            Daq(running[0], history).configure({**CONFIG, "n_modules": n}, ME)
        server.start()
        until(lambda: len(server.documents("daq:config")) == 3, "the last configurations")
        assert [config["n_modules"] for config in server.documents("daq:config")] == [7, 8, 9]


def test_ids_that_do_not_rise_are_no_obstacle(
    running: tuple[Service, FakePlane], history: History, server: Server, tmp_path: Path
) -> None:
    server.start()
    server.client.xadd("daq:log", {"json": "{}"}, id="9999999999999-0")
    server.client.xadd("daq:config", {"json": "{}"}, id="9999999999999-0")
    with Mirror(running[0], history, server.url):
        Daq(running[0], history).configure(CONFIG, ME)
        write(running, tmp_path / "late.h5")
        until(lambda: len(server.documents("daq:log")) == 2, "the log")
        assert server.documents("daq:config")[-1] == CONFIG


@pytest.mark.parametrize("url", ["", "127.0.0.1", "http://127.0.0.1", "redis://127.0.0.1:port"])
def test_a_url_that_is_none_is_refused(
    running: tuple[Service, FakePlane], history: History, url: str
) -> None:
    with pytest.raises(ValueError, match=r"redis|port|scheme|int"):
        Mirror(running[0], history, url)


def test_the_example_of_the_documentation(
    running: tuple[Service, FakePlane], history: History, server: Server
) -> None:
    page = Path("docs/how-to/coming-from-std-daq.md").read_text()
    line = next(line for line in page.splitlines() if line.strip().startswith("redis-cli"))
    command = line.split("#")[0].replace("redis-cli", f"redis-cli -p {server.port}")
    server.start()
    with Mirror(running[0], history, server.url):
        until(lambda: bool(server.documents("daq:status")), "the status")
        said = subprocess.run(command.split(), capture_output=True, text=True, check=True)
    assert '"state": "READY"' in said.stdout
