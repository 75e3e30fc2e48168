"""Frames through the router to its streams, over real sockets."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from contextlib import suppress
from socket import create_server

import pytest
import zmq
from tests.engine.dataplane.bench import Plane, configuration, frame_ids, message, receive, send
from tests.engine.dataplane.conftest import Opener

from repstream.dataplane import control
from repstream.messages import array_1_0

Address = Callable[[str], str]


def test_three_streams_get_exactly_their_frames(plane: Plane, address: Address, peer: Opener) -> None:
    streams = {
        "all": {"address": address("all")},
        "fifth": {"address": address("fifth"), "mode": "PUB", "policy": "send_every_nth", "every_nth": 5},
        "tenth": {"address": address("tenth"), "mode": "PUB", "policy": "send_every_nth", "every_nth": 10},
    }
    assert plane.open(configuration(address("in"), streams=streams)) == ""
    sinks = [
        peer(zmq.PULL, connect=address("all")),
        peer(zmq.SUB, connect=address("fifth")),
        peer(zmq.SUB, connect=address("tenth")),
    ]
    plane.report(lambda r: all(s.clients == 1 for s in r.streams.values()))
    # A subscription takes a little longer than the handshake: frames are sent until it is there.
    source = peer(zmq.PUSH, bind=address("in"))
    plane.report(lambda r: r.source.connected)
    for sink in sinks[1:]:
        wait_for_subscription(source, sink, sinks[0])
    before = plane.report(lambda r: all(s.ledger.queued == 0 for s in r.streams.values()))
    sent = send(source, range(100), image_attributes={"time_stamp": 1})
    assert receive(sinks[0], 100) == sent
    assert receive(sinks[1], 20) == sent[::5]
    assert receive(sinks[2], 10) == sent[::10]
    after = plane.report(lambda r: r.source.ledger.frames == before.source.ledger.frames + 100)
    for slot, count in ((1, 100), (2, 20), (3, 10)):
        one, two = before.streams[slot].ledger, after.streams[slot].ledger
        assert two.sent - one.sent == count
        assert two.offered - one.offered == 100
        assert two.offered == two.sent + two.queued + sum(two.skipped.values()) + sum(two.dropped.values())


def wait_for_subscription(
    source: zmq.Socket[bytes], sink: zmq.Socket[bytes], drain: zmq.Socket[bytes]
) -> None:
    while not sink.poll(50):
        source.send_multipart(message(0))
        drain.recv_multipart()
    sink.recv_multipart()
    while sink.poll(50):
        sink.recv_multipart()


@pytest.mark.parametrize("shape", [(2, 3), (300, 500), (1200, 2016)], ids=["12 B", "0.3 MB", "4.8 MB"])
def test_frames_of_any_size_arrive_unchanged(
    plane: Plane, address: Address, peer: Opener, shape: tuple[int, int]
) -> None:
    plane.open(configuration(address("in"), streams={"live": {"address": address("live")}}))
    source = peer(zmq.PUSH, bind=address("in"))
    sink = peer(zmq.PULL, connect=address("live"))
    sent = send(source, range(8), shape=shape)
    assert receive(sink, 8) == sent


def test_a_bound_subscribing_input_repeats_over_tcp(plane: Plane, address: Address, peer: Opener) -> None:
    base = configuration(address("in"), streams={"live": {"address": address("live")}})
    source_config = base.source.changed({"mode": "SUB", "connection": "bind"})
    plane.open(base.model_copy(update={"source": source_config}))
    source = peer(zmq.PUB, connect=address("in"))
    sink = peer(zmq.PULL, connect=address("live"))
    while not sink.poll(50):
        source.send_multipart(message(1))
    assert sink.recv_multipart() == message(1)
    assert plane.report().source.connected


def test_messages_of_several_parts_are_forwarded_whole(plane: Plane, address: Address, peer: Opener) -> None:
    plane.open(configuration(address("in"), streams={"live": {"address": address("live")}}))
    source = peer(zmq.PUSH, bind=address("in"))
    sink = peer(zmq.PULL, connect=address("live"))
    header, data = message(3)
    source.send_multipart([header, data, data, data])
    assert sink.recv_multipart() == [header, data, data, data]


@pytest.mark.parametrize(("rule", "kept"), [("drop_oldest", range(80, 100)), ("drop_newest", range(20))])
def test_without_a_consumer_the_queue_keeps_to_its_rule(
    plane: Plane, address: Address, peer: Opener, rule: str, kept: range
) -> None:
    streams = {"live": {"address": address("live"), "on_slow": rule, "buffer_size": 20}}
    plane.open(configuration(address("in"), streams=streams))
    source = peer(zmq.PUSH, bind=address("in"))
    send(source, range(100))
    report = plane.report(lambda r: r.source.ledger.frames == 100)
    ledger = report.streams[1].ledger
    assert (ledger.offered, ledger.queued, ledger.dropped, ledger.sent) == (100, 20, {"queue": 80}, 0)
    assert report.losses == 80
    sink = peer(zmq.PULL, connect=address("live"))
    assert frame_ids(receive(sink, 20)) == list(kept)
    assert plane.stream(1, lambda s: s.ledger.queued == 0).ledger.sent == 20


def test_the_byte_budget_bounds_the_queue_too(plane: Plane, address: Address, peer: Opener) -> None:
    streams = {"live": {"address": address("live"), "buffer_memory": 1}}
    plane.open(configuration(address("in"), streams=streams))
    source = peer(zmq.PUSH, bind=address("in"))
    send(source, range(20), shape=(300, 500))  # 0.3 MB: three fit into 1 MiB
    ledger = plane.report(lambda r: r.source.ledger.frames == 20).streams[1].ledger
    assert (ledger.queued, ledger.dropped) == (3, {"queue": 17})


def test_a_drop_that_is_no_alarm_is_no_loss(plane: Plane, address: Address, peer: Opener) -> None:
    streams = {"preview": {"address": address("p"), "buffer_size": 1, "alarm_on_drop": False}}
    plane.open(configuration(address("in"), streams=streams))
    send(peer(zmq.PUSH, bind=address("in")), range(10))
    report = plane.report(lambda r: r.source.ledger.frames == 10)
    assert report.streams[1].ledger.dropped == {"queue": 9}
    assert report.losses == 0


def test_a_blocking_stream_holds_all_and_loses_nothing(plane: Plane, address: Address, peer: Opener) -> None:
    streams = {
        "free": {"address": address("free")},
        "held": {"address": address("held"), "on_slow": "block", "buffer_size": 10},
    }
    plane.open(configuration(address("in"), streams=streams))
    source = peer(zmq.PUSH, bind=address("in"))
    free = peer(zmq.PULL, connect=address("free"))
    send(source, range(100))
    report = plane.report(lambda r: r.streams[2].blocking)
    assert report.streams[2].ledger.queued == 11  # the queue, and the frame that found it full
    assert report.source.ledger.frames == 11
    assert frame_ids(receive(free, 11)) == list(range(11))  # the others get what was received
    assert plane.report().source.ledger.frames == 11  # and the source waits
    held = peer(zmq.PULL, connect=address("held"))
    assert frame_ids(receive(held, 100)) == list(range(100))
    assert frame_ids(receive(free, 89)) == list(range(11, 100))
    final = plane.report(lambda r: r.streams[2].ledger.sent == 100)
    assert not final.streams[2].blocking
    assert final.losses == 0


def test_a_blocking_pub_waits_for_its_slow_subscriber(plane: Plane, address: Address, peer: Opener) -> None:
    streams = {"live": {"address": address("live"), "mode": "PUB", "on_slow": "block", "buffer_size": 5}}
    plane.open(configuration(address("in"), streams=streams))
    source = peer(zmq.PUSH, bind=address("in"))
    sink = peer(zmq.SUB, connect=address("live"), hwm=2)
    while not sink.poll(50):
        source.send_multipart(message(0))
    before = len(receive_all(sink))
    offered = plane.report(lambda r: r.streams[1].ledger.queued == 0).source.ledger.frames
    assert before == offered or offered > before  # those before the subscription went to nobody
    send(source, range(1, 61), shape=(1200, 2016))
    plane.report(lambda r: r.streams[1].blocking)
    assert frame_ids(receive(sink, 60)) == list(range(1, 61))


def receive_all(sink: zmq.Socket[bytes]) -> list[list[bytes]]:
    found = []
    while sink.poll(100):
        found.append(sink.recv_multipart())
    return found


def test_garbage_is_counted_by_reason_and_stops_nothing(plane: Plane, address: Address, peer: Opener) -> None:
    plane.open(configuration(address("in"), streams={"live": {"address": address("live")}}))
    source = peer(zmq.PUSH, bind=address("in"))
    sink = peer(zmq.PULL, connect=address("live"))
    header, data = message(1)
    garbage = [[b"\xff\xfe"], [b""], [b"{}", data], [header], [header, data[:-1]], [header, data, b""]]
    for parts in [message(0), *garbage, message(2)]:
        source.send_multipart(parts)
    assert frame_ids(receive(sink, 2)) == [0, 2]
    ledger = plane.report(lambda r: r.source.ledger.frames == 2).source.ledger
    assert ledger.messages == 8
    assert ledger.malformed == {"json": 2, "htype": 1, "parts": 1, "size": 2}
    note = plane.next(control.Note, lambda n: "malformed" in n.message)
    assert note.message.startswith("6 messages malformed at the input, the last: size")


@pytest.mark.parametrize("parts", [message(1), [b"{"]], ids=["frames", "garbage"])
def test_it_answers_while_messages_come_without_a_pause(
    plane: Plane, address: Address, peer: Opener, parts: list[bytes]
) -> None:
    wanted = configuration(address("in"), streams={"live": {"address": address("live"), "mode": "PUB"}})
    plane.open(wanted)
    source, over = peer(zmq.PUSH, bind=address("in")), threading.Event()

    def flood() -> None:
        while not over.is_set():
            # The room that was there may be gone with the peer.
            with suppress(zmq.Again):
                if source.poll(10, zmq.POLLOUT):
                    source.send_multipart(parts, zmq.NOBLOCK)

    flooding = threading.Thread(target=flood)
    flooding.start()
    try:
        first = plane.report(lambda r: r.source.ledger.messages > 0).source.ledger.messages
        assert plane.ask(control.Update, configuration=wanted.model_dump_json()) == ""
        plane.report(lambda r: r.source.ledger.messages > first)
        assert plane.close().report.source.ledger.messages > first
    finally:
        over.set()
        flooding.join()


def test_gaps_duplicates_and_late_frames_are_counted(plane: Plane, address: Address, peer: Opener) -> None:
    plane.open(configuration(address("in"), streams={"live": {"address": address("live")}}))
    source = peer(zmq.PUSH, bind=address("in"))
    send(source, [0, 1, 4, 4, 3, 7])
    report = plane.report(lambda r: r.source.ledger.frames == 6)
    ledger = report.source.ledger
    assert (ledger.missing, ledger.duplicates, ledger.late) == (3, 1, 1)
    assert report.losses == 3
    assert report.source.shape == (4, 5)


def test_a_std_det_writer_stream_counts_from_0_at_each_start(
    plane: Plane, address: Address, peer: Opener
) -> None:
    writer = {"output_file": "/data/run/scan.h5", "num_images": 9, "run_id": "17", "detector_name": "GF"}
    streams = {"writer": {"address": address("w"), "header": "std_det_writer"}}
    config = configuration(address("in"), streams=streams, writers={"file": writer})
    for run_id, label in (("17", 17), ("-7", -7), ("007", "007")):
        config.writers["file"] = config.writers["file"].model_copy(update={"run_id": run_id})
        plane.open(config)
        source = peer(zmq.PUSH, bind=address("in"))
        sink = peer(zmq.PULL, connect=address("w"))
        sent = send(source, [41, 42], image_attributes={"image_number": 5})
        received = receive(sink, 2)
        assert [parts[1] for parts in received] == [parts[1] for parts in sent]
        assert frame_ids(received) == [0, 1]
        assert array_1_0.attributes(received[1][0])["image_number"] == 1
        assert b'"output_file":"/data/run/scan.h5"' in received[0][0]
        assert json.loads(received[0][0])["run_id"] == label
        source.close(0)
        sink.close(0)
        plane.close()


def test_a_policy_may_change_while_running(plane: Plane, address: Address, peer: Opener) -> None:
    first = {"live": {"address": address("live")}}
    then = {"live": {"address": address("live"), "policy": "send_every_nth", "every_nth": 4}}
    plane.open(configuration(address("in"), streams=first))
    source = peer(zmq.PUSH, bind=address("in"))
    sink = peer(zmq.PULL, connect=address("live"))
    send(source, range(8))
    assert frame_ids(receive(sink, 8)) == list(range(8))
    changed = configuration(address("in"), streams=then)
    assert plane.ask(control.Update, configuration=changed.model_dump_json()) == ""
    send(source, range(8, 17))
    assert frame_ids(receive(sink, 3)) == [8, 12, 16]


def test_consumers_are_counted_as_they_come_and_go(plane: Plane, address: Address, peer: Opener) -> None:
    plane.open(configuration(address("in"), streams={"live": {"address": address("live")}}))
    one, two = (peer(zmq.PULL, connect=address("live")) for _ in range(2))
    assert plane.stream(1, lambda s: s.clients == 2).disconnects == 0
    one.close(0)
    assert plane.stream(1, lambda s: s.clients == 1).disconnects == 1
    two.close(0)
    assert plane.stream(1, lambda s: s.clients == 0).disconnects == 2


def test_a_start_that_cannot_bind_leaves_nothing_open(plane: Plane, address: Address) -> None:
    taken = create_server(("127.0.0.1", 0))
    port = taken.getsockname()[1]
    streams = {"good": {"address": address("good")}, "bad": {"address": f"tcp://127.0.0.1:{port}"}}
    reason = plane.open(configuration(address("in"), streams=streams))
    where = f"streams.bad.address refused: cannot bind tcp://127.0.0.1:{port}"
    assert reason.startswith(f"{where}: Address already in use; another program has it")
    taken.close()
    assert plane.open(configuration(address("in"), streams=streams)) == ""


def test_an_input_that_cannot_bind_is_refused(plane: Plane, address: Address) -> None:
    base = configuration("tcp://192.0.2.1:9", streams={"live": {"address": address("live")}})
    bound = base.model_copy(update={"source": base.source.changed({"connection": "bind"})})
    assert "source.address refused: cannot bind tcp://192.0.2.1:9" in plane.open(bound)


def test_a_stop_delivers_what_had_arrived(plane: Plane, address: Address, peer: Opener) -> None:
    streams = {"live": {"address": address("live"), "on_slow": "block", "buffer_size": 5}}
    plane.open(configuration(address("in"), streams=streams))
    source = peer(zmq.PUSH, bind=address("in"))
    send(source, range(50))
    plane.report(lambda r: r.streams[1].blocking)
    assert plane.ask(control.Close, patience=30.0) == ""
    sink = peer(zmq.PULL, connect=address("live"))
    assert frame_ids(receive(sink, 50)) == list(range(50))
    closed = plane.next(control.Closed)
    assert closed.undelivered == 0
    assert closed.report.streams[1].ledger.sent == 50


def test_a_stop_gives_up_on_consumers_that_never_come(plane: Plane, address: Address, peer: Opener) -> None:
    plane.open(configuration(address("in"), streams={"live": {"address": address("live")}}))
    send(peer(zmq.PUSH, bind=address("in")), range(30))
    plane.report(lambda r: r.source.ledger.frames == 30)
    closed = plane.close(patience=0.1)
    assert closed.undelivered == 30
    assert closed.report.streams[1].ledger.dropped == {"stop": 30}
    assert plane.ask(control.Close, patience=0.1) == "the repeater is not running"


def test_it_can_be_opened_again_at_once_on_the_same_port(plane: Plane, address: Address) -> None:
    with create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
    config = configuration(address("in"), streams={"live": {"address": f"tcp://127.0.0.1:{port}"}})
    for _ in range(3):
        assert plane.open(config) == ""
        plane.close()
