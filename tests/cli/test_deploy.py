"""What `deploy/` holds for systemd, containers and conda, against what there is."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from repstream_cli.lazy import LazyCommand
from repstream_cli.main import COMMANDS
from repstream_cli.notify import Notifier
from tests.cli.cam_server import program
from tests.cli.running import started
from tests.ports import free_port
from tests.waiting import until

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
UNITS = sorted(DEPLOY.glob("systemd/*.service"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
BIN = Path(sys.executable).parent


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    """What listens where systemd does."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as there:
        there.bind(str(tmp_path / "notify"))
        there.settimeout(60)
        yield there


def test_systemd_hears_of_the_service_from_the_beginning_to_the_end(
    manager: socket.socket, tmp_path: Path
) -> None:
    address = f"tcp://127.0.0.1:{free_port()}"
    environment = {**os.environ, "NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "1000000"}
    options = ("--engine-address", address, "--no-tango", "--no-epics", "--no-http", "--root", tmp_path)
    with started("serve", *options, environment=environment) as process:
        assert manager.recv(4096).decode() == f"READY=1\nSTATUS=serving {address}"
        assert [manager.recv(4096) for _ in range(2)] == [b"WATCHDOG=1", b"WATCHDOG=1"]
        process.send_signal(signal.SIGTERM)
        while (said := manager.recv(4096)) == b"WATCHDOG=1":
            pass
        assert said == b"STOPPING=1"


def test_systemd_hears_that_a_camera_server_answers(manager: socket.socket, tmp_path: Path) -> None:
    environment = {**os.environ, "NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "1000000"}
    port = free_port()
    arguments = ("-i", "127.0.0.1", "-p", port)
    with program("camera_server", tmp_path, *arguments, environment=environment) as process:
        assert manager.recv(4096).decode() == f"READY=1\nSTATUS=serving http://127.0.0.1:{port}"
        assert [manager.recv(4096) for _ in range(2)] == [b"WATCHDOG=1", b"WATCHDOG=1"]
        process.send_signal(signal.SIGTERM)
        while (said := manager.recv(4096)) == b"WATCHDOG=1":
            pass
        assert said == b"STOPPING=1"


def test_a_service_that_hangs_gives_no_sign_of_life(manager: socket.socket) -> None:
    environment = {"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "1"}
    pulse = iter([1, 2, 2, 2, 3])
    notifier = Notifier(lambda: next(pulse), environment)
    for _ in range(5):
        notifier.tend()
    notifier.stopping()
    assert [manager.recv(4096) for _ in range(4)] == [b"WATCHDOG=1"] * 3 + [b"STOPPING=1"]


@pytest.mark.parametrize(
    "environment", [{}, {"WATCHDOG_USEC": "1", "WATCHDOG_PID": "1"}, {"NOTIFY_SOCKET": "/nowhere/notify"}]
)
def test_without_a_manager_nothing_happens(environment: dict[str, str]) -> None:
    notifier = Notifier(lambda: 1, environment)
    notifier.ready("serving")
    notifier.tend()
    notifier.stopping()


@pytest.fixture
def analyze() -> Callable[..., str]:
    """systemd's own opinion."""
    tool = shutil.which("systemd-analyze")
    if tool is None:
        pytest.skip("systemd-analyze is not installed")

    def ask(*arguments: str) -> str:
        line = [tool, *arguments]
        ran = subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)
        return ran.stdout + ran.stderr

    return ask


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_takes_the_units(unit: Path, tmp_path: Path, analyze: Callable[..., str]) -> None:
    here = tmp_path / unit.name.replace("@", "@x12sa")
    here.write_text(unit.read_text().replace("/opt/repstream/bin", str(BIN)))
    ours = [line for line in analyze("verify", "--man=no", str(here)).splitlines() if unit.stem[:-1] in line]
    assert not [line for line in ours if "detector" not in line]  # the user is the site's to make
    scored = re.search(r"exposure level for \S+: ([\d.]+)", analyze("security", "--offline=true", str(here)))
    assert scored is not None
    assert float(scored[1]) < 5, "less hardened than `MEDIUM`"


def lines() -> list[tuple[str, str]]:
    """Every command line of ours in `deploy/`, with its file."""
    found = []
    for path in (p for p in DEPLOY.rglob("*") if p.is_file()):
        text = path.read_text().replace("\\\n", " ")
        found += [
            (path.name, line) for line in re.findall(r"\brepstream (?:serve|status|doctor) [^\n>&|]*", text)
        ]
    return found


def test_every_option_in_deploy_exists() -> None:
    assert len(lines()) >= 4
    for name, line in lines():
        words = shlex.split(line, comments=True)
        command = LazyCommand(words[1], COMMANDS[words[1]]).loaded()
        known = {opt for p in command.params for opt in (*p.opts, *p.secondary_opts)}
        assert not [w for w in words if w.startswith("--") and w not in known], f"{name}: {line}"


def test_the_recipe_of_conda_says_what_pyproject_says() -> None:
    recipe = yaml.safe_load((DEPLOY / "conda/recipe.yaml").read_text())
    assert recipe["context"]["version"] == PROJECT["version"]
    names = {"python-xxhash": "xxhash"}
    run = {
        re.sub(r"^\S+", lambda m: names.get(m[0], m[0]), line).replace(" ", "")
        for line in recipe["requirements"]["run"]
    }
    assert run == {*PROJECT["dependencies"], f"python{PROJECT['requires-python']}"}
    for entry in recipe["build"]["python"]["entry_points"]:
        name, place = entry.split(" = ")
        assert PROJECT["scripts"][name] == place
    said = {
        line.replace(" ", "").replace("uvicorn-standard", "uvicorn[standard]").replace("_", "-")
        for line in recipe["requirements"]["run_constraints"]
    }
    extras = {
        line
        for extra in ("tango", "epics", "http", "pva")
        for line in PROJECT["optional-dependencies"][extra]
    }
    assert said <= extras


LOOPBACK_UP = """
import fcntl, socket, struct
fcntl.ioctl(socket.socket(), 0x8914, struct.pack("16sh", b"lo", 1))  # SIOCSIFFLAGS, IFF_UP
"""


def test_the_container_is_healthy_while_its_engine_answers(tmp_path: Path) -> None:
    """The command of the image and its check, as they stand, where no other port is taken."""
    if subprocess.run(["unshare", "-rn", "true"], capture_output=True, check=False).returncode:
        pytest.skip("this system lets nobody have namespaces")
    text = (DEPLOY / "container/Containerfile").read_text().replace("\\\n", " ")
    (check,) = re.findall(r"HEALTHCHECK .*? CMD (.*)", text)
    command = ["repstream", *json.loads(re.findall(r"^CMD (.*)", text, re.MULTILINE)[0])]
    serve = shlex.join(command).replace("/data", str(tmp_path))
    script = f"""
        {sys.executable} -c '{LOOPBACK_UP}'
        healthy() {{ {check}; }}
        healthy 2>/dev/null && exit 3
        {serve} --no-tango --no-epics --no-http & engine=$!
        for _ in $(seq 60); do healthy 2>/dev/null && break; sleep 0.5; done
        healthy || exit 4
        kill $engine; wait $engine
    """
    environment = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"}
    ran = subprocess.run(
        ["unshare", "-rn", "sh", "-c", script],
        env=environment,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr


def test_procserv_runs_an_ioc_with_a_console(tmp_path: Path) -> None:
    """Its console answers, and ends the IOC where it is asked to."""
    if shutil.which("procServ") is None:
        pytest.skip("procServ is not installed")
    console, log = free_port(), tmp_path / "log"
    environment = {
        **os.environ,
        "LOG": str(log),
        "PIDFILE": str(tmp_path / "pid"),
        "CONSOLE": str(console),
        "REPSTREAM": str(BIN),
        "ENGINE": f"tcp://127.0.0.1:{free_port()}",
        "EPICS_CAS_SERVER_PORT": str(free_port()),
    }
    command = ["sh", str(DEPLOY / "procserv/repstream-ioc.sh")]
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as procserv:
        try:
            until(lambda: log.exists() and "X:REPSTREAM:" in log.read_text(), "the IOC's log", 60)
            with socket.create_connection(("127.0.0.1", console), 10) as operator:
                operator.settimeout(20)
                said = b""
                while b"repstream-ioc" not in said:
                    said += operator.recv(4096)
        finally:
            procserv.terminate()
            procserv.wait(30)
    assert not Path(tmp_path / "pid").exists()
