from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from repstream.link.server import EngineServer
from repstream.parameters.catalogue import build
from repstream.service.options import ServiceOptions
from repstream.service.service import Service
from repstream_epics.server import IocServer
from tests.fakes import FakePlane, running_engine
from tests.ioc.board_engine import BoardEngine
from tests.ioc.clients import Pyepics, environment, free_port, tool
from tests.toy_camera import CAMERA_ENGINE, CameraConfiguration
from tests.waiting import until

PREFIX = "T:SRV:"
PATIENCE = 30.0


def test_a_port_in_use_is_refused_and_nothing_stays(tmp_path: Path) -> None:
    with running_engine(tmp_path) as engine, IocServer({"a": engine}, PREFIX, port=0) as first:
        before = threading.active_count()
        second = IocServer({"b": engine}, PREFIX, port=first.port)
        with pytest.raises(OSError, match=f"port {first.port} on 127.0.0.1"):
            second.start()
        second.close()
        until(lambda: threading.active_count() <= before, "the end of its threads")
        assert "INITIALIZED" in tool(first.port, "caget", "-w", "20", f"{PREFIX}State_RBV").stdout


def test_two_iocs_on_two_ports_are_both_found() -> None:
    with (
        BoardEngine().running() as engine,
        IocServer({"a": engine}, "T:A:", port=0) as one,
        IocServer({"b": engine}, "T:B:", port=0) as two,
    ):
        both = environment(one.port) | {"EPICS_CA_ADDR_LIST": f"127.0.0.1:{one.port} 127.0.0.1:{two.port}"}
        command = [
            str(Path(sys.executable).parent / "caget"),
            "-t",
            "-w",
            "20",
            "T:A:State_RBV",
            "T:B:State_RBV",
        ]
        said = subprocess.run(command, env=both, capture_output=True, text=True, timeout=60, check=False)
        assert said.stdout.split() == ["RUNNING", "RUNNING"]


def test_one_ioc_serves_several_engines() -> None:
    with (
        BoardEngine().running() as one,
        BoardEngine().running() as two,
        IocServer({"one": one, "two": two}, "T:$(ENGINE):", port=0) as ioc,
    ):
        two.put({"engine.state": "STOPPED"})
        with Pyepics(ioc.port) as ca, ca.watch("T:two:State_RBV") as states:
            while states.get(timeout=PATIENCE)["value"] != 3:
                pass
            assert ca.value("T:one:State_RBV") == "RUNNING"


def test_engines_that_would_share_names_are_refused() -> None:
    engine = BoardEngine()
    with pytest.raises(ValueError, match=r"put \$\(ENGINE\) into the prefix"):
        IocServer({"one": engine, "two": engine}, PREFIX)


def test_clients_find_a_server_again_after_a_restart() -> None:
    with BoardEngine().running() as engine:
        port = free_port()
        with IocServer({"a": engine}, PREFIX, port):
            ca = Pyepics(port)
            assert ca.value(f"{PREFIX}State_RBV") == "RUNNING"
        with ca, IocServer({"a": engine}, PREFIX, port), ca.watch(f"{PREFIX}Src:Resets_RBV") as updates:
            engine.put({"source.resets": 7})
            while updates.get(timeout=PATIENCE)["value"] != 7:
                pass
            assert ca.value(f"{PREFIX}State_RBV") == "RUNNING"


def test_stopping_leaves_no_thread_and_no_subscription() -> None:
    before = threading.active_count()
    with BoardEngine().running() as engine:
        ioc = IocServer({"a": engine}, PREFIX, port=0)
        ioc.start()
        with Pyepics(ioc.port) as ca:
            assert ca.value(f"{PREFIX}State_RBV") == "RUNNING"
            ioc.close()
        engine.put({"engine.state": "STOPPED"})
        ioc.close()
    until(lambda: threading.active_count() <= before, "the end of its threads")


def test_a_larger_engine_than_was_known_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    """As when an IOC is started before its engine, which then has more slots than usual."""
    with BoardEngine(build(slots={"streams": 9})).running() as engine:
        engine.catalogue = build()
        with IocServer({"a": engine}, PREFIX, port=0) as ioc:
            assert "RUNNING" in tool(ioc.port, "caget", f"{PREFIX}State_RBV").stdout
    assert [r.levelname for r in caplog.records if "restart the IOC" in r.message] == ["ERROR"]


def test_the_environment_of_the_process_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EPICS_CA_SERVER_PORT", "5999")
    before = dict(os.environ)
    with BoardEngine().running() as engine, IocServer({"a": engine}, PREFIX, port=0) as ioc:
        assert ioc.port != 5999
        assert "RUNNING" in tool(ioc.port, "caget", f"{PREFIX}State_RBV").stdout
    assert dict(os.environ) == before


@contextmanager
def console(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """The console script, as a user starts it."""
    command = [sys.executable, "-m", "repstream_epics.main", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def test_the_console_script_serves_an_engine_by_address_until_sigterm(tmp_path: Path) -> None:
    with running_engine(tmp_path) as engine:
        server = EngineServer(engine, "tcp://127.0.0.1:*")
        server.start()
        port = free_port()
        try:
            with console(server.address, "--port", str(port), "--prefix", PREFIX) as process:
                assert process.stdout is not None
                assert f"PVs on 127.0.0.1:{port}" in process.stdout.readline()
                assert "INITIALIZED" in tool(port, "caget", f"{PREFIX}State_RBV").stdout
                assert "ERROR" not in tool(port, "caput", "-c", f"{PREFIX}Start", "1").stderr
                assert engine.read("engine.state").value == "RUNNING"
                process.send_signal(signal.SIGTERM)
                assert process.wait(PATIENCE) == 0
        finally:
            server.close()


def test_an_engine_of_another_kind_gets_its_pvs_when_it_appears(tmp_path: Path) -> None:
    """The IOC is started before any engine; a camera comes, and then a repeater takes its place."""
    address, port = f"ipc://{tmp_path}/engine", free_port()
    camera = ServiceOptions(roots=(tmp_path,), configuration=CameraConfiguration())
    with console(address, "--port", str(port), "--prefix", PREFIX) as process:
        assert process.stdout is not None

        def said(text: str) -> str:
            return next(line for line in process.stdout or () if text in line)

        assert "no engine has answered at" in said("serving the usual PVs as INVALID")
        said(f"PVs on 127.0.0.1:{port}")
        assert "UNKNOWN" in tool(port, "caget", f"{PREFIX}State_RBV").stdout
        with (
            Service(camera, FakePlane(CameraConfiguration), CAMERA_ENGINE) as service,
            EngineServer(service, address),
        ):
            assert "camera.exposure and" in said("the PVs are made anew")
            said(f"PVs on 127.0.0.1:{port}")
            tool(port, "caput", "-c", f"{PREFIX}Camera:Exposure", "0.5")
            assert service.read("camera.exposure").value == 0.5
        with running_engine(tmp_path) as engine, EngineServer(engine, address):
            assert "camera.exposure and" in said("the PVs are made anew")
            said(f"PVs on 127.0.0.1:{port}")
            assert "INITIALIZED" in tool(port, "caget", f"{PREFIX}State_RBV").stdout
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0


def test_the_console_script_lists_its_pvs(tmp_path: Path) -> None:
    with running_engine(tmp_path) as engine:
        server = EngineServer(engine, "tcp://127.0.0.1:*")
        server.start()
        try:
            with console(server.address, "--list-pvs", "--prefix", PREFIX) as process:
                said, _ = process.communicate(timeout=60)
        finally:
            server.close()
    assert said.splitlines() == list(IocServer({"a": BoardEngine()}, PREFIX).channels)


def test_the_console_script_says_what_is_wrong_with_its_options() -> None:
    with console("tcp://127.0.0.1:1", "--list-pvs", "--prefix", "no blanks:") as process:
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "without blank and dot" in said
