"""`repstream doctor` as users start it, on machines that are ill on purpose."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from repstream.service.options import ServiceOptions
from repstream_cli.exits import Exit
from repstream_cli.main import app
from repstream_cli.stack import Stack, StackOptions
from tests.cli.running import repstream as run
from tests.ports import free_port

DOCTOR = f"{sys.executable} -m repstream_cli doctor --json"


def within(namespaces: str, prepare: str, options: str) -> tuple[int, dict[str, Any]]:
    """The doctor in namespaces of its own, which `prepare` makes ill."""
    if subprocess.run(["unshare", namespaces, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this system lets nobody have namespaces")
    script = f"{prepare} && exec {DOCTOR} {options}"
    ran = subprocess.run(
        ["unshare", namespaces, "sh", "-c", script], capture_output=True, text=True, timeout=90, check=False
    )
    return ran.returncode, json.loads(ran.stdout)


def wrong(report: dict[str, Any]) -> list[str]:
    return [finding["found"] for finding in report["findings"] if finding["verdict"] != "ok"]


def test_small_buffers_of_the_kernel() -> None:
    prepare = "echo '4096 8192 16384' > /proc/sys/net/ipv4/tcp_rmem; echo 10 > /proc/sys/net/core/somaxconn"
    code, report = within("-rn", prepare, "--only network --strict")
    assert wrong(report) == [
        "a TCP connection may have 16.4 kB of receive buffer (net.ipv4.tcp_rmem)",
        "10 connections may wait to be accepted (net.core.somaxconn)",
    ]
    assert (code, report["verdict"]) == (Exit.FAULTS, "warn")  # --strict


def test_a_full_disk(tmp_path: Path) -> None:
    prepare = (
        f"mount -t tmpfs -o size=1m none {tmp_path} && head -c 2M /dev/zero > {tmp_path}/f 2>/dev/null; true"
    )
    code, report = within("-rm", prepare, f"--only storage --root {tmp_path}")
    assert wrong(report) == [f"{tmp_path} cannot be written: No space left on device"]
    assert (code, report["verdict"]) == (Exit.FAULTS, "fail")


def test_a_nearly_full_disk_and_a_run_that_it_cannot_hold(tmp_path: Path) -> None:
    prepare = f"mount -t tmpfs -o size=16m none {tmp_path}"
    options = f"--only storage --root {tmp_path} --size 1000x1000 --rate 2 --duration 3600"
    code, report = within("-rm", prepare, options)
    assert wrong(report) == [f"{tmp_path} has 16.8 MB free; the run writes 14.4 GB and fills it after 4 s"]
    assert code == Exit.FAULTS


def test_closed_ports(tmp_path: Path) -> None:
    """One that another program has, and one at which nobody answers."""
    detector = f"tcp://127.0.0.1:{free_port()}"
    config = tmp_path / "c.json"
    with socket.create_server(("127.0.0.1", free_port())) as taken:
        port = taken.getsockname()[1]
        live = f"tcp://127.0.0.1:{port}"
        config.write_text(
            json.dumps({"source": {"address": detector}, "streams": {"live": {"address": live}}})
        )
        ran = run("doctor", "--json", "--only", "ports", "--only", "engine", "--config", config)
    said = wrong(json.loads(ran.stdout))
    assert f"nothing answers at {detector}: Connection refused" in said
    assert any(str(port) in text for text in said), said
    assert ran.returncode == Exit.FAULTS


def test_a_running_engine_is_examined(tmp_path: Path) -> None:
    address = f"tcp://127.0.0.1:{free_port()}"
    engine = ServiceOptions(name="bl7", roots=(tmp_path,), pictures_address="tcp://127.0.0.1:*")
    with Stack(StackOptions(engine, address, tango=None, epics=None, http=None)):
        ran = run("doctor", "--address", address, "--json", "--only", "engine", "--only", "storage")
    report = json.loads(ran.stdout)
    said = [finding["found"] for finding in report["findings"]]
    assert any(text.startswith("bl7 on ") for text in said)
    assert any(text.startswith("the engine is not connected to tcp://127.0.0.1:9609") for text in said)
    assert any(text.startswith(f"{tmp_path} has ") for text in said)
    assert ran.returncode == Exit.OK, ran.stderr


def test_no_engine_answers() -> None:
    address = f"tcp://127.0.0.1:{free_port()}"
    ran = CliRunner().invoke(app, ["doctor", "--address", address, "--timeout", "0.3"])
    assert ran.exit_code == Exit.NOTHING


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--size", "10x10"), "a planned run needs both"),
        (("--size", "10", "--rate", 1), "is no size"),
        (("--size", "10x10", "--rate", 1, "--pixel", "int3"), "must be one of uint8"),
        (("--only", "stars"), "must be one of installation"),
        (("--config", "/nowhere.json"), "cannot be read"),
    ],
)
def test_wrong_usage(options: tuple[object, ...], says: str) -> None:
    ran = CliRunner().invoke(app, ["doctor", *map(str, options)])
    assert ran.exit_code == Exit.USAGE
    assert says in " ".join(ran.stderr.replace("│", " ").split())


def test_people_read_what_to_do() -> None:
    options = ["--only", "epics", "--pv", "NO:SUCH:PV", "--timeout", "0.3"]
    ran = CliRunner().invoke(app, ["doctor", *options])
    assert ran.exit_code == Exit.FAULTS
    assert "FAIL EPICS: nobody answers to NO:SUCH:PV" in ran.stdout
    assert "$ caget NO:SUCH:PV" in ran.stdout
    assert ran.stdout.rstrip().endswith("1 ok, 0 warnings, 1 failures")
