"""The service on a data plane without frames: writes, commands, states, order of events."""

from __future__ import annotations

import json
from pathlib import Path
from queue import Queue

import pytest
from tests.fakes import FakePlane

from repstream.dataplane import control
from repstream.errors import InvalidValue, Refused, UnknownKey
from repstream.protocol import Change, Completion, Event, Requester
from repstream.service.options import ServiceOptions
from repstream.service.service import Service

ME = Requester("test", "me", "here")
OTHER = Requester("test", "other", "there")


def value(service: Service, key: str) -> object:
    return service.read(key).value


def refused(service: Service, key: str, wanted: object) -> Refused:
    """The refusal of a write, having checked that it changed nothing."""
    before = service.snapshot().values.get(key)
    with pytest.raises(Refused) as caught:
        service.write({key: wanted}, ME)  # type: ignore[dict-item]
    assert service.snapshot().values.get(key) == before
    return caught.value


def events_of(service: Service) -> Queue[Event]:
    queue: Queue[Event] = Queue()
    service.subscribe(queue.put)
    return queue


def until_completion(queue: Queue[Event]) -> list[Event]:
    found: list[Event] = []
    while not (found and isinstance(found[-1], Completion)):
        found.append(queue.get(timeout=5))
    return found


# --- writes -------------------------------------------------------------------------------


def test_a_write_is_read_back_by_slot_and_by_name(service: Service) -> None:
    service.write({"streams.live.every_nth": 7}, ME)
    assert value(service, "streams.1.every_nth") == value(service, "streams.live.every_nth") == 7


@pytest.mark.parametrize(
    ("key", "wrong", "says"),
    [
        ("streams.live.every_nth", 0, "from 1 to 1000000000 frames; it stays 1"),
        ("streams.live.every_nth", 1.5, "whole number"),
        ("streams.live.every_nth", True, "whole number"),
        ("streams.live.every_sec", float("nan"), "a number from 0.0 to 86400.0 s"),
        ("streams.live.policy", "sometimes", "one of send_every_nth, send_every_sec"),
        ("source.address", "localhost:9990", "stays 'tcp://127.0.0.1:9609'"),
        ("writers.main.folder", "data", "absolute path"),
        ("writers.main.file_template", "%d%s", "C format"),
        ("writers.main.output_file", "/data/", "extension"),
        ("writers.main.detector_name", "entry_7", "must not begin with entry"),
        ("writers.main.overwrite", "yes", "true or false"),
        ("writers.main.run_id", "x" * 256, "at most 255 characters"),
    ],
)
def test_a_wrong_value_is_refused_with_the_reason(
    service: Service, key: str, wrong: object, says: str
) -> None:
    refusal = refused(service, key, wrong)
    assert isinstance(refusal, InvalidValue)
    assert says in str(refusal)


def test_what_is_not_there_is_refused_as_such(service: Service) -> None:
    assert isinstance(refused(service, "streams.live.nonsense", 1), UnknownKey)
    assert "slot is empty" in str(refused(service, "streams.3.every_nth", 2))
    assert "read-only" in str(refused(service, "source.received", 2))


def test_several_values_are_written_all_or_none(service: Service) -> None:
    with pytest.raises(InvalidValue):
        service.write({"streams.live.every_nth": 3, "streams.preview.every_nth": 0}, ME)
    assert value(service, "streams.live.every_nth") == 1


def test_settings_want_their_owner_idle(service: Service, plane: FakePlane) -> None:
    service.execute("engine.start", None, ME)
    assert "stop it first" in str(refused(service, "source.address", "tcp://127.0.0.1:1"))
    service.write({"streams.live.every_nth": 4}, ME)
    assert plane.configuration.streams["live"].every_nth == 4
    service.execute("writers.main.start", None, ME)
    assert "READY" in str(refused(service, "writers.main.num_images", 5))


def test_what_the_data_plane_refuses_is_not_kept(service: Service, plane: FakePlane) -> None:
    service.execute("engine.start", None, ME)
    plane.refuse = "no"
    with pytest.raises(Refused, match="no"):
        service.write({"streams.live.every_nth": 4}, ME)
    assert value(service, "streams.live.every_nth") == 1


def test_output_file_sets_what_it_is_made_of(service: Service, tmp_path: Path) -> None:
    service.write({"writers.main.output_file": f"{tmp_path}/a/run7.h5"}, ME)
    assert value(service, "writers.main.folder") == f"{tmp_path}/a"
    assert value(service, "writers.main.file_name") == "run7"
    assert value(service, "writers.main.output_file") == f"{tmp_path}/a/run7.h5"


# --- configure, load, save ----------------------------------------------------------------


def test_configure_adds_changes_and_removes(service: Service) -> None:
    tree = {"streams": {"preview": None, "third": {"address": "tcp://*:5555"}, "live": {"mode": "PUB"}}}
    service.execute("engine.configure", json.dumps(tree), ME)
    assert value(service, "streams.live.mode") == "PUB"
    assert value(service, "streams.2.name") == "third"
    assert value(service, "streams.third.address") == "tcp://*:5555"


def test_a_slot_is_kept_until_its_owner_goes(service: Service) -> None:
    service.execute("engine.configure", '{"streams": {"live": null}}', ME)
    assert [value(service, f"streams.{slot}.name") for slot in (1, 2, 3)] == [None, "preview", None]
    service.execute("engine.configure", '{"streams": {"third": {}, "fourth": {}}}', ME)
    assert [value(service, f"streams.{slot}.name") for slot in (1, 2, 3)] == ["third", "preview", "fourth"]


def test_configure_is_refused_as_a_whole(service: Service) -> None:
    before = value(service, "engine.config")
    for wrong in ('{"streams": {"live": {"every_nth": 3, "mode": "PUSHY"}}}', "[]", "{", '{"nonsense": 1}'):
        with pytest.raises(Refused):
            service.execute("engine.configure", wrong, ME)
    too_many = json.dumps({"streams": {f"s{i}": {} for i in range(7)}})
    with pytest.raises(Refused, match="8 slots"):
        service.execute("engine.configure", too_many, ME)
    assert value(service, "engine.config") == before


def test_the_configuration_is_saved_and_found_again(service: Service, tmp_path: Path) -> None:
    service.write({"streams.live.every_nth": 9}, ME)
    service.execute("engine.save_config", f"{tmp_path}/saved.json", ME)
    service.write({"streams.live.every_nth": 1}, ME)
    service.execute("engine.load_config", None, ME)
    assert value(service, "streams.live.every_nth") == 9


def test_files_outside_the_roots_are_refused(service: Service) -> None:
    with pytest.raises(InvalidValue, match="outside"):
        service.execute("engine.save_config", "/etc/repstream.json", ME)


def test_settings_survive_a_restart(tmp_path: Path) -> None:
    options = ServiceOptions(roots=(tmp_path,), settings=tmp_path / "settings.json")
    first = Service(options, FakePlane())
    first.start()
    first.execute("engine.configure", '{"streams": {"live": {"every_nth": 3}}}', ME)
    first.close()
    second = Service(options, FakePlane())
    second.start()
    assert value(second, "streams.live.every_nth") == 3
    second.close()


# --- the repeater -------------------------------------------------------------------------


def test_start_and_stop(service: Service) -> None:
    assert value(service, "engine.state") == "INITIALIZED"
    assert service.execute("engine.start", None, ME).wait(5).ok
    assert value(service, "engine.state") == "RUNNING"
    with pytest.raises(Refused, match=r"not possible in RUNNING, only in INITIALIZED, STOPPED"):
        service.execute("engine.start", None, ME)
    handle = service.execute("engine.stop", None, ME)
    assert value(service, "engine.state") == "STOPPED"
    assert handle.wait(5).ok
    assert service.execute("engine.stop", None, ME).wait(5).ok


def test_a_start_that_cannot_bind_leaves_the_state(service: Service, plane: FakePlane) -> None:
    plane.refuse = "stream live: tcp://127.0.0.1:19610 is in use"
    with pytest.raises(Refused, match="is in use"):
        service.execute("engine.start", None, ME)
    assert value(service, "engine.state") == "INITIALIZED"


def test_two_streams_with_one_address_do_not_start(service: Service) -> None:
    service.write({"streams.live.address": "tcp://127.0.0.1:19611"}, ME)
    with pytest.raises(Refused, match="live and preview have the same address"):
        service.execute("engine.start", None, ME)


def test_counters_reach_the_board(service: Service, plane: FakePlane) -> None:
    service.execute("engine.start", None, ME)
    queue = events_of(service)
    plane.receive(12)
    while value(service, "streams.live.sent") != 12:
        queue.get(timeout=5)
    assert value(service, "source.received") == value(service, "streams.preview.sent") == 12


def test_a_dead_data_plane_is_an_error_that_initialize_mends(service: Service, plane: FakePlane) -> None:
    handle = service.execute("writers.main.start", None, ME)
    plane.die("killed by SIGKILL")
    completion = handle.wait(5)
    assert not completion.ok
    assert "SIGKILL" in completion.message
    assert value(service, "writers.main.state") == "UNKNOWN"
    assert value(service, "writers.main.acq_state") == "FAILED"
    queue = events_of(service)
    while value(service, "engine.state") != "ERROR":
        queue.get(timeout=5)
    assert "SIGKILL" in str(value(service, "engine.status"))
    with pytest.raises(Refused, match="ERROR"):
        service.execute("engine.start", None, ME)
    service.execute("engine.initialize", None, ME)
    assert value(service, "writers.main.state") == "READY"
    assert service.execute("engine.start", None, ME).wait(5).ok


def test_stop_of_a_lost_writer_makes_it_ready(service: Service, plane: FakePlane) -> None:
    service.execute("writers.main.arm", None, ME).wait(5)
    queue = events_of(service)
    plane.die()
    while value(service, "engine.state") != "ERROR":
        queue.get(timeout=5)
    assert service.execute("writers.main.stop", None, ME).wait(5).ok
    assert value(service, "writers.main.state") == "READY"


# --- the writer ---------------------------------------------------------------------------


def test_an_acquisition_from_start_to_completion(service: Service, plane: FakePlane) -> None:
    service.write({"writers.main.num_images": 10}, ME)
    handle = service.execute("writers.main.start", None, ME)
    assert value(service, "engine.state") == "RUNNING"
    assert value(service, "writers.main.state") == "WRITING"
    plane.receive(4)
    plane.receive(20)
    assert handle.wait(5).ok
    assert value(service, "writers.main.num_written") == 10
    assert value(service, "writers.main.acq_result") == "completed"
    assert value(service, "engine.state") == "RUNNING"


def test_the_order_at_an_end(service: Service, plane: FakePlane) -> None:
    service.write({"writers.main.num_images": 3}, ME)
    queue = events_of(service)
    service.execute("writers.main.start", None, ME)
    plane.receive(3)
    events = until_completion(queue)
    assert [e.sequence for e in events] == list(range(events[0].sequence, events[0].sequence + len(events)))
    last: dict[str, int] = {}
    for number, event in enumerate(events):
        if isinstance(event, Change):
            last |= dict.fromkeys(event.values, number)
    w = "writers.1."
    order = [last[w + f] for f in ("num_written", "acq_message", "acq_result", "acq_state", "state")]
    assert order == sorted(order)


def test_arm_then_start_in_bursts(service: Service, plane: FakePlane) -> None:
    assert service.execute("writers.main.arm", None, ME).wait(5).ok
    assert value(service, "writers.main.acq_state") == "WAITING_IMAGES"
    for _ in range(2):
        burst = service.execute("writers.main.start", 3, ME)
        plane.receive(5)
        assert burst.wait(5).ok
        assert value(service, "writers.main.gate") == "shut"
    stop = service.execute("writers.main.stop", None, ME)
    assert stop.wait(5).message == "Interrupted."
    assert value(service, "writers.main.num_written") == 6


def test_a_second_start_is_refused_while_images_are_taken(service: Service) -> None:
    service.execute("writers.main.start", None, ME)
    with pytest.raises(Refused, match="already taking images"):
        service.execute("writers.main.start", None, ME)
    with pytest.raises(Refused, match="goes on; stop it first"):
        service.execute("writers.main.arm", None, ME)


def test_a_failed_arm_stops_the_repeater_it_started(service: Service, plane: FakePlane) -> None:
    original = plane.send

    def refuse_arm(request: control.Request) -> None:
        if isinstance(request, control.Arm):
            plane.refuse = "no memory"
        original(request)

    plane.send = refuse_arm  # type: ignore[method-assign]
    with pytest.raises(Refused, match="no memory"):
        service.execute("writers.main.start", None, ME)
    assert value(service, "engine.state") == "INITIALIZED"
    assert isinstance(plane.requests[-1], control.Close)
    assert value(service, "writers.main.state") == "READY"


def test_a_file_that_exists_is_refused_before_anything_starts(service: Service, tmp_path: Path) -> None:
    (tmp_path / "scan_000000.h5").write_text("precious")
    with pytest.raises(Refused, match="exists: choose another name or set overwrite"):
        service.execute("writers.main.start", None, ME)
    assert value(service, "engine.state") == "INITIALIZED"
    assert (tmp_path / "scan_000000.h5").read_text() == "precious"


@pytest.mark.parametrize(
    ("file", "says"),
    [("{}/gone/a.h5", "does not exist")],
)
def test_a_folder_that_cannot_be_is_refused(service: Service, tmp_path: Path, file: str, says: str) -> None:
    service.write({"writers.main.output_file": file.format(tmp_path)}, ME)
    with pytest.raises(Refused, match=says):
        service.execute("writers.main.start", None, ME)
    assert value(service, "writers.main.state") == "READY"


def test_storage_that_fails_ends_the_acquisition_only(service: Service, plane: FakePlane) -> None:
    handle = service.execute("writers.main.start", None, ME)
    plane.receive(1)
    plane.fail(1, "No space left on device")
    assert handle.wait(5).message == "ERROR:No space left on device"
    assert value(service, "writers.main.acq_state") == "FAILED"
    assert value(service, "writers.main.state") == "READY"
    assert value(service, "engine.state") == "RUNNING"
    assert "No space left" in str(value(service, "engine.last_error"))
    service.execute("engine.reset", None, ME)
    assert value(service, "engine.last_error") == ""


def test_more_images_than_there_is_room_for_are_refused(service: Service, plane: FakePlane) -> None:
    service.write({"writers.main.num_images": 2_000_000_000}, ME)
    size = {"source.image_height": 100_000, "source.image_width": 100_000, "source.image_type": "uint16"}
    service.write(size, ME)
    with pytest.raises(Refused, match=r"the file would take 40000000000\.000 GB"):
        service.execute("writers.main.start", None, ME)
    assert value(service, "writers.main.state") == "READY"


def test_the_size_of_earlier_images_is_no_reason_to_refuse(service: Service, plane: FakePlane) -> None:
    service.write({"writers.main.num_images": 2_000_000_000}, ME)
    plane.shape = (100_000, 100_000)
    queue = events_of(service)
    service.execute("engine.start", None, ME)
    plane.receive(1)
    while value(service, "source.seen_height") != 100_000:
        queue.get(timeout=5)
    service.execute("writers.main.start", None, ME)
    assert value(service, "writers.main.state") == "WRITING"


def test_a_blocking_writer_is_named_in_the_status(service: Service, plane: FakePlane) -> None:
    service.execute("writers.main.start", None, ME)
    plane.blocking = True
    queue = events_of(service)
    plane.receive(1)
    while "held up by writer main" not in str(value(service, "engine.status")):
        queue.get(timeout=5)
    assert value(service, "writers.main.blocking")


def test_the_number_rises_when_a_file_is_opened(service: Service, tmp_path: Path) -> None:
    service.execute("writers.main.arm", None, ME).wait(5)
    assert value(service, "writers.main.full_file_name") == f"{tmp_path}/scan_000000.h5"
    assert value(service, "writers.main.output_file") == f"{tmp_path}/scan_000001.h5"


def test_acquisition_ids_differ_and_run_ids_are_labels(service: Service) -> None:
    service.write({"writers.main.run_id": "lysozyme 3"}, ME)
    ids = []
    for _ in range(2):
        service.execute("writers.main.arm", None, ME).wait(5)
        ids.append(value(service, "writers.main.acquisition_id"))
        assert value(service, "writers.main.acq_run_id") == "lysozyme 3"
        service.execute("writers.main.abort", None, ME).wait(5)
    assert ids[0] != ids[1]


# --- who may ------------------------------------------------------------------------------


def test_the_control_lock_keeps_others_out_but_not_their_stop(service: Service) -> None:
    service.execute("engine.lock", None, ME)
    assert value(service, "engine.locked_by") == "test me@here"
    assert service.read("engine.lock_timeout").value == 600
    for act in (
        lambda: service.write({"streams.live.every_nth": 2}, OTHER),
        lambda: service.execute("engine.start", None, OTHER),
        lambda: service.execute("engine.unlock", None, OTHER),
    ):
        with pytest.raises(Refused, match="test me@here holds the control lock"):
            act()
    service.execute("engine.start", None, ME)
    service.execute("engine.stop", None, OTHER).wait(5)
    service.execute("engine.unlock", "force", OTHER)
    service.write({"streams.live.every_nth": 2}, OTHER)


def test_the_last_command_tells_who_gave_it(service: Service) -> None:
    service.execute("engine.start", None, OTHER)
    assert value(service, "engine.last_command") == "engine.start"
    assert value(service, "engine.last_command_by") == "test other@there"
    service.write({"streams.live.every_nth": 2}, ME)
    assert value(service, "engine.last_command") == "write streams.live.every_nth = 2"
    assert value(service, "engine.last_command_by") == "test me@here"
    refused(service, "streams.live.every_nth", 0)
    assert "refused: 0 is not possible" in str(value(service, "engine.last_command"))
    with pytest.raises(Refused):
        service.execute("engine.initialize", None, ME)
    assert str(value(service, "engine.last_command")).startswith("engine.initialize refused: ")


def test_arguments_are_checked(service: Service) -> None:
    for command, argument in (
        ("engine.start", 3),
        ("engine.configure", None),
        ("writers.main.start", -1),
        ("writers.main.start", "many"),
        ("engine.load_config", 3),
    ):
        with pytest.raises(InvalidValue):
            service.execute(command, argument, ME)
    with pytest.raises(UnknownKey):
        service.execute("engine.explode", None, ME)
