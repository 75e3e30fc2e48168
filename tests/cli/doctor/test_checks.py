"""Each check of the doctor: what it says of a machine that is well, and of one that is not."""

from __future__ import annotations

import platform
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from repstream.parameters.configuration import Configuration
from repstream_cli.doctor import installation
from repstream_cli.doctor.checks import CHECKS
from repstream_cli.doctor.finding import Finding, Verdict, worst
from repstream_cli.doctor.machine import ClockState, Machine
from repstream_cli.doctor.plan import PIXEL_BYTES, Plan, readable
from repstream_cli.doctor.site import Listener, RunningEngine, Site
from tests.cli.doctor.sites import bad, found, machine
from tests.ports import free_port

EIGER = Plan(2167, 2070, 4, 100, 3600)  # 1.8 GB/s, 6.5 TB
SMALL = Plan(100, 100, 2, 10, 1)
ENGINE = RunningEngine("x", "RUNNING", False, "", "0.1.0", "elsewhere", False, 0.0, True, "")
REMOTE = Configuration.model_validate({"source": {"address": "tcp://10.1.2.3:9990"}})
GIGABIT = {"sys/class/net/eth0/operstate": "up", "sys/class/net/eth0/speed": 1000}
CPU = "sys/devices/system/cpu"


@pytest.mark.parametrize(
    ("kernel", "check", "verdict", "says"),
    [
        ({"proc/sys/net/ipv4/tcp_rmem": "4096 131072 6291456"}, "network", None, ""),
        ({"proc/sys/net/ipv4/tcp_rmem": "4096 65536 131072"}, "network", "warn", "131 kB of receive buffer"),
        ({"proc/sys/net/ipv4/tcp_wmem": "4096 65536 131072"}, "network", "warn", "131 kB of send buffer"),
        ({"proc/sys/net/core/somaxconn": 16}, "network", "warn", "16 connections"),
        ({"proc/sys/net/core/netdev_max_backlog": 300}, "network", "warn", "300 packets"),
        ({"proc/meminfo": "MemAvailable: 4000000 kB"}, "limits", None, ""),
        ({"proc/meminfo": "MemAvailable: 400000 kB"}, "limits", "warn", "410 MB of memory are available"),
        ({"sys/fs/cgroup/memory.max": 10**8}, "limits", "warn", "100 MB of memory are available"),
        (
            {"proc/swaps": "Filename\n/swap file 1 0 -2", "proc/sys/vm/swappiness": 60},
            "limits",
            "warn",
            "vm.swappiness = 60",
        ),
        ({"proc/swaps": "Filename", "proc/sys/vm/swappiness": 60}, "limits", None, ""),
        ({"sys/fs/cgroup/cpu.max": "150000 100000"}, "processor", "warn", "1.5 cores"),
        ({"sys/fs/cgroup/cpu.max": "max 100000"}, "processor", None, ""),
        ({"proc/loadavg": "17.5 1 1"}, "processor", "warn", "17.5 processes"),
        ({f"{CPU}/cpu0/cpufreq/scaling_governor": "performance"}, "processor", None, ""),
        ({f"{CPU}/cpu1/cpufreq/scaling_governor": "powersave"}, "processor", "warn", "governor powersave"),
    ],
)
def test_the_kernel_s_settings_are_judged(
    tmp_path: Path, kernel: dict[str, object], check: str, verdict: str | None, says: str
) -> None:
    wrong = bad(Site(machine(tmp_path, kernel)), check)
    if verdict is None:
        assert not wrong
    else:
        ((judged, text),) = wrong
        assert judged == verdict
        assert says in text


@pytest.mark.parametrize(("soft", "verdict"), [(65536, None), (1024, "warn"), (64, "fail")])
def test_the_limit_of_open_files(tmp_path: Path, soft: int, verdict: str | None) -> None:
    assert [v for v, _ in bad(Site(machine(tmp_path, files=(soft, 65536))), "limits")] == [verdict] * bool(
        verdict
    )


@pytest.mark.parametrize(
    ("now", "state", "expected"),
    [
        (1.8e9, ClockState(True, 0.001), []),
        (1.8e9, ClockState(True, 0.7), [("warn", "error of up to 0.7 s")]),
        (1.8e9, ClockState(False, 16.0), [("warn", "nothing keeps the clock right")]),
        (0.0, ClockState(True, 0.001), [("fail", "1970-01-01 00:00 UTC, which is past")]),
        (1.8e9, None, [("warn", "does not say")]),
    ],
)
def test_a_wrong_clock(
    tmp_path: Path, now: float, state: ClockState | None, expected: list[tuple[str, str]]
) -> None:
    wrong = bad(Site(machine(tmp_path, time=now, state=state)), "clock")
    assert [verdict for verdict, _ in wrong] == [verdict for verdict, _ in expected]
    assert all(says in text for (_, text), (_, says) in zip(wrong, expected, strict=True))


@pytest.mark.parametrize(("ahead", "says"), [(0.2, ""), (3600.0, "3.6e+03 s ahead of"), (-7.0, "7 s behind")])
def test_the_clock_of_the_engine(tmp_path: Path, ahead: float, says: str) -> None:
    wrong = bad(Site(machine(tmp_path), engine=replace(ENGINE, ahead=ahead)), "clock")
    assert bool(wrong) == bool(says)
    assert not says or says in wrong[0][1]


def test_this_kernel_says_how_its_clock_is_kept() -> None:
    state = Machine().clock()
    assert state is not None
    assert 0 < state.max_error < 1000  # the kernel stops counting at 16 s


def test_what_is_no_fault_is_said_all_the_same(tmp_path: Path) -> None:
    well = machine(tmp_path, {f"{CPU}/isolated": "2-3", "proc/meminfo": "MemAvailable: 4000000 kB"})
    said = "\n".join(finding.found for finding in found(Site(well), "processor", "limits", "installation"))
    for text in (
        "4 cores may be used; a GPU is not needed",
        "cores 2-3 are isolated: name them in CPUAffinity=",
        "of memory may be locked; repstream locks none",
        "allows 1023 sockets",
        f"on Python {platform.python_version()}",
        "all libraries are as new as this version needs",
    ):
        assert text in said
    assert not bad(Site(well), "processor", "limits", "installation")


def test_a_run_that_does_not_fit_through_the_link(tmp_path: Path) -> None:
    site = Site(machine(tmp_path, GIGABIT), REMOTE, plan=EIGER)
    assert ("fail", "the fastest link, eth0, carries 112 MB/s; the run needs 1.79 GB/s") in bad(
        site, "network"
    )
    assert not bad(replace(site, plan=SMALL), "network")
    assert not bad(replace(site, configuration=Configuration()), "network")  # 127.0.0.1


def test_a_fast_run_wants_larger_buffers_and_more_threads(tmp_path: Path) -> None:
    kernel = {"proc/sys/net/ipv4/tcp_rmem": "4096 131072 6291456"}
    site = Site(machine(tmp_path, kernel), plan=EIGER)
    (advice,) = [f for f in found(site, "network") if f.verdict is Verdict.WARN]
    assert advice.command == "sysctl -w net.ipv4.tcp_rmem='4096 131072 17942760'"
    few = Configuration.model_validate({"source": {"io_threads": 1}})
    assert ("warn", "1 I/O threads for 1.79 GB/s") in bad(replace(site, configuration=few), "limits")


def test_a_folder_that_is_well(tmp_path: Path) -> None:
    site = Site(Machine(), roots=(tmp_path,), plan=SMALL)
    said = [finding.found for finding in found(site, "storage")]
    assert not bad(site, "storage")
    assert any("locks files" in text for text in said)
    assert any("takes" in text and "the run needs 200 kB/s" in text for text in said)
    assert not list(tmp_path.iterdir())  # nothing is left


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    ((verdict, text),) = bad(Site(roots=(tmp_path / "gone",)), "storage")
    assert verdict == "fail"
    assert text.endswith("gone cannot be written: No such file or directory")


def test_a_run_that_is_too_long_and_too_fast(tmp_path: Path) -> None:
    wrong = bad(Site(roots=(tmp_path,), plan=Plan(100_000, 100_000, 8, 1e4, 1e6)), "storage")
    assert [verdict for verdict, _ in wrong] == ["fail", "fail"]
    assert "and fills it after 0 s" in wrong[0][1]
    assert "the run needs 800 TB/s" in wrong[1][1]


def test_a_ring_that_is_larger_than_the_shared_memory(tmp_path: Path) -> None:
    ring = Configuration.model_validate({"source": {"address": "ring://eiger", "ring_slots": 1_000_000}})
    (tmp_path / "dev/shm").mkdir(parents=True)
    site = Site(machine(tmp_path), ring, plan=EIGER)
    ((verdict, text),) = bad(site, "storage")
    assert verdict == "fail"
    assert text.endswith("free; ring buffers with 1000000 slots take 17.9 TB")
    assert not bad(replace(site, configuration=Configuration()), "storage")
    ((_, text),) = bad(replace(site, machine=machine(tmp_path / "none")), "storage")
    assert text.endswith("dev/shm: No such file or directory")


def test_locks_that_keep_nobody_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fcntl.flock", lambda *_: None)
    ((verdict, text),) = bad(Site(roots=(tmp_path,), plan=SMALL), "storage")
    assert (verdict, text) == ("warn", f"{tmp_path} gives the lock of a file to two at once")


def test_a_port_that_is_taken() -> None:
    with socket.create_server(("127.0.0.1", free_port())) as taken:
        port = taken.getsockname()[1]
        (finding,) = found(Site(listeners=(Listener("HTTP", "127.0.0.1", port, "--http-port"),)), "ports")
    assert finding.verdict is Verdict.FAIL
    assert finding.command == f"ss -ltnup 'sport = :{port}'"
    assert "--http-port" in finding.advice


def test_a_detector_that_answers_or_not() -> None:
    with socket.create_server(("127.0.0.1", free_port())) as detector:
        address = f"tcp://127.0.0.1:{detector.getsockname()[1]}"
        site = Site(configuration=Configuration.model_validate({"source": {"address": address}}))
        assert not bad(site, "engine")
    assert bad(site, "engine") == [("warn", f"nothing answers at {address}: Connection refused")]


@pytest.mark.parametrize(
    ("changed", "verdict", "says"),
    [
        ({"state": "ERROR", "last_error": "the data plane died"}, "fail", "in ERROR: the data plane died"),
        ({"losing": True}, "fail", "loses frames"),
        ({"version": "9.0"}, "warn", "of version 9.0"),
        ({"source_connected": False, "link_problem": "a PUB answers"}, "warn", "a PUB answers"),
    ],
)
def test_an_engine_that_is_not_well(
    tmp_path: Path, changed: dict[str, object], verdict: str, says: str
) -> None:
    site = Site(machine(tmp_path), engine=replace(ENGINE, **changed))  # type: ignore[arg-type]
    ((judged, text),) = bad(site, "engine")
    assert judged == verdict
    assert says in text


def test_a_tango_database_that_does_not_answer(tmp_path: Path) -> None:
    place = f"127.0.0.1:{free_port()}"
    ((verdict, text),) = bad(Site(machine(tmp_path, environment={"TANGO_HOST": place})), "tango")
    assert (verdict, text) == ("fail", f"no Tango database answers at {place}: Connection refused")
    ((_, text),) = bad(Site(machine(tmp_path, environment={"TANGO_HOST": "localhost:many"})), "tango")
    assert text == "TANGO_HOST=localhost:many is no host:port"


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({}, ""),
        ({"EPICS_CA_ADDR_LIST": "127.0.0.1", "EPICS_CA_AUTO_ADDR_LIST": "NO"}, ""),
        ({"EPICS_CA_AUTO_ADDR_LIST": "NO"}, "clients look for PVs nowhere"),
        ({"EPICS_CA_ADDR_LIST": "nowhere.invalid"}, "names nowhere.invalid, which has no address"),
        ({"EPICS_CA_MAX_ARRAY_BYTES": "16384"}, "less than an image of 20 kB"),
    ],
)
def test_where_epics_clients_look(tmp_path: Path, environment: dict[str, str], says: str) -> None:
    wrong = bad(Site(machine(tmp_path, environment=environment), plan=SMALL), "epics")
    assert bool(wrong) == bool(says)
    assert not says or says in wrong[0][1]


def test_libraries_that_are_too_old_or_missing() -> None:
    wanted = ["numpy>=99.0", "h5py>=3.0", "no-such-library>=1.0", "no-such-extra>=1.0; extra == 'http'"]
    said = [(finding.verdict, finding.command) for finding in installation.too_old(wanted)]
    assert said == [
        (Verdict.FAIL, "pip install 'numpy>=99.0'"),
        (Verdict.FAIL, "pip install 'no-such-library>=1.0'"),
    ]


def test_what_is_not_well_says_what_to_do(tmp_path: Path) -> None:
    sick = machine(tmp_path, {"proc/sys/net/core/somaxconn": 1}, files=(10, 10), state=None)
    findings = found(Site(sick, roots=(tmp_path / "gone",)), *CHECKS)
    assert all(f.advice and f.command for f in findings if f.verdict is not Verdict.OK)
    assert worst(findings) is Verdict.FAIL
    assert worst([]) is Verdict.OK
    assert Finding("a", Verdict.OK, "b").as_dict()["verdict"] == "ok"


def test_bytes_for_people() -> None:
    assert [readable(n) for n in (5, 4.8e6, 6.4e12, 8e14)] == ["5 B", "4.8 MB", "6.4 TB", "800 TB"]
    assert (PIXEL_BYTES["uint8"], PIXEL_BYTES["float64"]) == (1, 8)
