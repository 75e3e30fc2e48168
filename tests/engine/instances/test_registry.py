"""The registry, over a launcher without processes."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.engine.instances.fakes import FakeLauncher
from tests.ports import free_port, free_ports
from tests.waiting import until

from repstream.errors import (
    ChildError,
    InstanceEnded,
    InstanceReadOnly,
    InstanceRuns,
    InvalidValue,
    PortTakenError,
    Refused,
    UnknownInstance,
)
from repstream.instances import registry
from repstream.instances.registry import Instances
from repstream.pipelines.control import Logged, LogRecord, Ready, Report, Statistics, Wanted

SIMULATION = {"source": "simulation", "source_type": "simulation"}
PIPELINE = {"camera_name": "sim"}


@pytest.fixture
def launcher():
    return FakeLauncher()


@pytest.fixture
def cameras(launcher):
    return Instances("camera", launcher, ports=free_ports(20))


@pytest.fixture
def pipelines(launcher):
    return Instances(
        "pipeline", launcher, find_stream=lambda kind, name: f"tcp://{kind}:{name}", ports=free_ports(40)
    )


def test_a_started_instance_is_listed_with_its_defaults(cameras):
    info = cameras.start("sim", SIMULATION)
    assert cameras.running() == [info]
    assert info.is_stream_active and info.camera_name == "sim"
    assert info.config == SIMULATION | {
        "mirror_x": False,
        "mirror_y": False,
        "rotate": 0,
        "roi": None,
        "image_background": None,
        "binning_x": 1,
        "binning_y": 1,
        "binning_mean": False,
        "camera_calibration": None,
    }


def test_ports_go_round_robin_and_a_camera_keeps_its_own(cameras):
    first, second = (cameras.start(name, SIMULATION).stream_address for name in "ab")
    assert first != second
    cameras.stop("a")
    assert cameras.start("a", SIMULATION).stream_address == first
    cameras.forget("a")
    assert cameras.start("a", SIMULATION).stream_address not in (first, second)


def test_the_port_of_a_stopped_camera_is_the_last_that_another_gets(launcher):
    ports = [free_port(), free_port()]
    cameras = Instances("camera", launcher, ports=ports)
    first = cameras.start("a", SIMULATION)
    cameras.stop("a")
    for name in "bc":
        cameras.start(name, SIMULATION)
    assert first.stream_address == cameras.get("c").stream_address
    with pytest.raises(PortTakenError, match="no port from"):
        cameras.start("a", SIMULATION)


def test_a_configured_port_is_taken_or_refused(cameras):
    port = free_port()
    assert cameras.start("a", SIMULATION | {"port": port}).stream_address.endswith(f":{port}")
    with pytest.raises(PortTakenError, match=str(port)):
        cameras.start("b", SIMULATION, port=port)
    cameras.stop("a")
    assert cameras.start("b", SIMULATION, port=port).stream_address.endswith(f":{port}")


def test_a_port_that_another_program_takes_meanwhile_is_passed_over(launcher):
    ports = free_ports(4)
    cameras = Instances("camera", launcher, ports=ports)
    launcher.taken = set(ports[:2])
    assert int(cameras.start("a", SIMULATION).stream_address.rpartition(":")[2]) in ports[2:]
    launcher.taken = {port := free_port()}
    with pytest.raises(PortTakenError, match=str(port)):
        cameras.start("b", SIMULATION, port=port)


def test_a_name_runs_once(cameras):
    info = cameras.start("sim", SIMULATION)
    with pytest.raises(InstanceRuns):
        cameras.start("sim", SIMULATION)
    assert cameras.ensure("sim", SIMULATION | {"mirror_x": True}) == info


def test_a_key_that_is_read_at_the_start_is_kept_and_named_in_the_log(cameras):
    cameras.start("sim", SIMULATION)
    cameras.reconfigure("sim", {"mirror_x": True})
    assert not any("next start" in record.text for record in cameras.logs("sim"))
    assert cameras.reconfigure("sim", {"queue_size": 7, "mirror_x": False})["queue_size"] == 7
    assert cameras.logs("sim")[-1].text == "queue_size: changed, and in force from the next start on"


def test_many_that_ask_at_once_get_one_instance(cameras, launcher):
    launcher.mute.add("sim")
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(cameras.ensure, "sim", SIMULATION) for _ in range(8)]
        until(lambda: "sim" in launcher.processes)
        assert not cameras.running()
        # Nobody who asks for another waits for this one.
        assert cameras.start("other", SIMULATION).name == "other"
        launcher.processes["sim"].say(Ready())
        assert len({one.result(5).stream_address for one in asked}) == 1


def test_an_early_death_says_why_and_frees_the_port(cameras, launcher):
    launcher.dying = {
        "sim": ("camera with prefix X is offline",),
        "odd": ("no such background", "image_background"),
    }
    with pytest.raises(InstanceEnded, match="X is offline"):
        cameras.start("sim", SIMULATION)
    with pytest.raises(InvalidValue, match="no such background") as refused:
        cameras.start("odd", SIMULATION)
    assert refused.value.subject == "image_background"
    with pytest.raises(ChildError):
        cameras.start("unstartable", SIMULATION)
    assert not cameras.running()
    assert cameras.exit_code("sim") == 1
    assert "offline" in cameras.message("sim")


def test_what_has_ended_is_unknown_but_for_its_end(cameras, launcher):
    cameras.start("sim", SIMULATION)
    launcher.processes["sim"].say(Logged(LogRecord(1.0, "camera", "INFO", "hello")))
    assert cameras.exit_code("sim") is None
    launcher.processes["sim"].end(-9)
    for ask in (cameras.get, lambda name: cameras.reconfigure(name, {"mirror_x": True})):
        with pytest.raises(UnknownInstance):
            ask("sim")
    assert cameras.exit_code("sim") == -9
    assert cameras.message("sim") == "killed by SIGKILL"
    assert [record.text for record in cameras.logs("sim")] == [
        "hello",
        "it has ended: killed by SIGKILL",
    ]
    cameras.stop("sim")
    cameras.stop("never there")


def test_figures_are_the_newest_report(cameras, launcher):
    cameras.start("sim", SIMULATION)
    launcher.processes["sim"].say(Report(Statistics(clients=2), "silent", (1280, 960)))
    info = cameras.get("sim")
    assert (info.statistics.clients, info.message, info.camera_geometry) == (2, "silent", (1280, 960))


def test_a_partial_update_merges_good_region_and_slices(pipelines, launcher):
    pipelines.start("p", PIPELINE | {"image_good_region": {"threshold": 0.5}, "image_slices": {}})
    changed = pipelines.reconfigure("p", {"image_good_region": {"gfscale": 3}, "image_threshold": 7})
    assert changed["image_good_region"] == {"threshold": 0.5, "gfscale": 3}
    assert changed["image_slices"] == {"number_of_slices": 1, "scale": 2, "orientation": "vertical"}
    assert launcher.processes["p"].configuration == changed == pipelines.get("p").config


@pytest.mark.parametrize(
    "change", [{}, {"camera_name": "other"}, {"queue_size": -1}, {"mode": "SHOUT"}, {"pipeline_type": "odd"}]
)
def test_a_refused_update_changes_nothing(pipelines, launcher, change):
    before = pipelines.start("p", PIPELINE).config
    with pytest.raises(InvalidValue):
        pipelines.reconfigure("p", change)
    assert launcher.processes["p"].configuration == before == pipelines.get("p").config


def test_what_the_instance_refuses_changes_nothing(pipelines, launcher):
    before = pipelines.start("p", PIPELINE).config
    launcher.processes["p"].refusal = "no background of this id"
    with pytest.raises(InvalidValue, match="no background"):
        pipelines.reconfigure("p", {"image_background": "x"})
    assert pipelines.get("p").config == before


def test_equal_configurations_share_a_read_only_instance(pipelines):
    with ThreadPoolExecutor(4) as pool:
        shared = list(pool.map(pipelines.share, [PIPELINE] * 4))
    assert len({info.name for info in shared}) == 1
    assert shared[0].read_only
    assert pipelines.share(PIPELINE | {"image_threshold": 5}).name != shared[0].name
    with pytest.raises(InstanceReadOnly):
        pipelines.reconfigure(shared[0].name, {"image_threshold": 5})


def test_an_own_instance_is_not_shared_with_others(pipelines):
    own = pipelines.start("own", PIPELINE)
    assert pipelines.share(PIPELINE).name != own.name


def test_a_pipeline_is_given_its_input(pipelines, launcher):
    pipelines.start("p", PIPELINE)
    process = launcher.processes["p"]
    process.say(Wanted("camera", "sim"))
    until(lambda: process.inputs)
    assert process.inputs[0].address == "tcp://camera:sim"


def test_a_pipeline_that_asks_at_once_is_given_its_input(pipelines, launcher):
    launcher.first_words.append(Wanted("camera", "sim"))
    pipelines.start("p", PIPELINE)
    process = launcher.processes["p"]
    until(lambda: process.inputs)


@pytest.mark.parametrize("name", ["", "x" * 256])
def test_names_have_a_length(cameras, name):
    with pytest.raises(Refused):
        cameras.start(name, SIMULATION)


@pytest.mark.parametrize("name", ["../../etc/passwd", "a/b", "🙂" * 100, "x" * 255, "-"])
def test_any_text_is_a_name(cameras, name):
    assert cameras.start(name, SIMULATION).name == name


def test_the_end_stops_all_and_starts_none(cameras):
    for name in "abc":
        cameras.start(name, SIMULATION)
    cameras.close()
    assert not cameras.running()
    with pytest.raises(Refused):
        cameras.start("a", SIMULATION)
    assert threading.active_count() < 50


@pytest.mark.parametrize(
    ("configuration", "key"),
    [
        ({}, "source"),
        ({"source": "x", "source_type": "stddaq"}, "source_type"),
        ({"source": "x", "source_type": "telepathy"}, "source_type"),
        ({"source": "x", "binning_x": 0}, "binning_x"),
        ({"source": "x", "roi": [1, 2]}, "roi"),
        ({"source": "x", "camera_calibration": {"reference_marker": "here"}}, "camera_calibration"),
    ],
)
def test_a_bad_configuration_is_refused_by_its_key(cameras, configuration, key):
    with pytest.raises(InvalidValue) as refused:
        cameras.start("sim", configuration)
    assert refused.value.subject == key


@pytest.mark.parametrize(("end", "text"), [((-9,), "killed by SIGKILL"), ((1, "no memory"), "no memory")])
def test_the_log_of_one_that_ended_says_why(cameras, launcher, end, text):
    cameras.start("sim", SIMULATION)
    launcher.processes["sim"].end(*end)
    assert cameras.logs("sim")[-1].text == f"it has ended: {text}"


def test_a_geometry_is_not_known_from_a_change_to_the_next_report(cameras, launcher):
    cameras.start("sim", SIMULATION)
    launcher.processes["sim"].say(Report(Statistics(rx_count=7), camera_geometry=(4, 3)))
    cameras.reconfigure("sim", {"rotate": 1})
    info = cameras.get("sim")
    assert (info.camera_geometry, info.statistics.rx_count) == (None, 7)
    launcher.processes["sim"].say(Report(Statistics(), camera_geometry=(3, 4)))
    assert cameras.get("sim").camera_geometry == (3, 4)


def test_not_every_end_is_remembered_for_ever(pipelines, monkeypatch):
    monkeypatch.setattr(registry, "MOST_ENDED", 3)
    for number in range(10):
        pipelines.start(str(number), PIPELINE)
        pipelines.stop(str(number))
    pipelines.start("last", PIPELINE)
    with pytest.raises(UnknownInstance):
        pipelines.exit_code("0")
    assert pipelines.exit_code("9") == 0
    assert not pipelines._turns


def test_who_follows_no_more_leaves_nothing(cameras):
    calls = []
    first, second = (cameras.follow("sim", lambda n=n: calls.append(n)) for n in (1, 2))
    first()
    cameras.start("sim", SIMULATION)
    assert calls and set(calls) == {2}
    second()
    second()
    assert not cameras._followers
