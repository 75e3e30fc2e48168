"""Merging, throughput, and who is connected."""

from __future__ import annotations

import itertools
import threading
import time

import mflow as original
import mflow.utils as original_utils
import pytest
import zmq

from repstream import mflow
from repstream.mflow import utils


def send(stream, n):
    stream.send({"htype": "raw-1.0", "frame": n}, as_json=True)


def frames(merged, count):
    return [merged.receive().data["header"]["frame"] for _ in range(count)]


def test_merged_streams_are_read_in_turn(streams):
    (one, a), (two, b) = streams.pair(), streams.pair()
    for n in range(3):
        send(one, n)
        send(two, 10 + n)
    for stream in (a, b):
        assert stream.socket.poll(10_000)
    time.sleep(0.1)
    assert frames(utils.Merge(a, b), 6) == [0, 10, 1, 11, 2, 12]


def test_a_stream_that_has_nothing_is_passed_over(streams):
    (one, a), (_, b) = streams.pair(), streams.pair()
    merged = utils.Merge(a, b)
    for n in range(3):
        send(one, n)
        assert frames(merged, 1) == [n]


def test_merged_streams_wait_as_long_as_their_shortest_timeout(streams):
    (one, a), (_, b) = streams.pair(receive_timeout=60_000), streams.pair(receive_timeout=50)
    merged = utils.Merge(a, b)
    assert merged.receive() is None
    threading.Timer(0.01, send, (one, 5)).start()
    message = None
    while message is None:
        message = merged.receive()
    assert message.data["header"]["frame"] == 5


def test_merged_streams_without_a_timeout_do_not_wait(streams):
    _, a = streams.pair(receive_timeout=None)
    assert utils.Merge(a).receive() is None


def test_every_merge_begins_with_its_first_stream(streams):
    (one, a), (two, b) = streams.pair(), streams.pair()
    for _ in range(2):
        send(one, 1)
        send(two, 2)
        assert a.socket.poll(10_000) and b.socket.poll(10_000)
        merged = utils.Merge(a, b)
        assert frames(merged, 1) == [1]
        assert b.receive().data["header"]["frame"] == 2


def test_merged_streams_are_closed_together(streams):
    (_, a), (_, b) = streams.pair(), streams.pair()
    utils.Merge(a, b).disconnect()
    assert a.socket.closed and b.socket.closed


def test_merging_nothing_is_refused():
    with pytest.raises(ValueError, match="no streams"):
        utils.Merge()


class Counted:
    def __init__(self, messages, nbytes):
        self.messages_received, self.total_bytes_received = messages, nbytes


def test_throughput_is_the_increase_a_second():
    statistics = utils.ThroughputStatistics(sampling_interval=0)
    statistics.n.initial_time -= 2
    time.sleep(0.001)
    assert statistics.save_statistics(Counted(4, 8_000_000))
    sample = statistics.get_last_sampled_statistics()
    assert sample["data_rate"] / sample["message_rate"] == pytest.approx(2_000_000)
    found = statistics.get_statistics()
    assert found["average_message_size"] == 2_000_000
    assert found["average_message_rate"] == pytest.approx(4 / found["total_elapsed_time"])
    assert statistics.get_statistics_raw()[-1] is sample


def test_no_messages_make_no_throughput():
    statistics = utils.ThroughputStatistics()
    assert statistics.get_statistics() == {} and statistics.get_last_sampled_statistics() is None
    assert not statistics.flush()


def test_the_printed_lines_are_those_of_the_original(capsys):
    """Scripts read them: same words, same columns."""
    printed = []
    for library in (original.utils, utils):
        printer = library.ThroughputStatisticsPrinter(sampling_interval=0)
        printer.statistics.n.initial_time = 1000.0
        printer.statistics.n.last_sampled_statistics = {
            "total_bytes_received": 0,
            "messages_received": 0,
            "time": 1000.0,
        }
        printer.statistics.n.last_received_statistics = {
            "total_bytes_received": 5_000_000,
            "messages_received": 7,
            "time": 1002.0,
        }
        printer.close()
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1]
    utils.ThroughputStatisticsPrinter().close()
    assert "No messages received." in capsys.readouterr().out


def test_clients_are_counted_as_they_come_and_go(streams, until):
    counts = []
    push, address = streams.bound(mflow, mflow.PUSH)
    push.register_socket_monitor(utils.ConnectionCountMonitor(counts.append))
    assert counts[0] == 0
    first = streams.connected(mflow, address, mflow.PULL)
    until(lambda: counts[-1] == 1)
    second = streams.connected(original, address, mflow.PULL)
    until(lambda: counts[-1] == 2)
    first.disconnect()
    until(lambda: counts[-1] == 1)
    second.disconnect()
    until(lambda: counts[-1] == 0)


def changes(counts):
    return [count for count, _ in itertools.groupby(counts)]


@pytest.mark.parametrize("module", [mflow, original], ids=["ours", "original"])
def test_a_peer_that_came_before_the_monitor_takes_the_count_below_zero(streams, until, module):
    push, address = streams.bound(module, mflow.PUSH)
    early = streams.connected(mflow, address, mflow.PULL)
    push.send(b"")
    assert early.receiver.socket.poll(10_000)
    counts = []
    push.register_socket_monitor(counting(module)(counts.append))
    late = streams.connected(mflow, address, mflow.PULL)
    until(lambda: counts[-1] == 1)
    late.disconnect()
    until(lambda: counts[-1] == 0)
    early.disconnect()
    until(lambda: counts[-1] == -1)
    assert changes(counts) == [0, 1, 0, -1]


@pytest.mark.parametrize("module", [mflow, original], ids=["ours", "original"])
def test_a_stream_that_connects_accepts_nobody(streams, until, module):
    push, address = streams.bound(mflow, mflow.PUSH)
    counts, events = [], []
    pull = module.Stream()
    pull.register_socket_monitor(counting(module)(counts.append))
    pull.register_socket_monitor(lambda event: events.append(event and event["event"]))
    pull.connect(address)
    until(lambda: zmq.Event.CONNECTED in events and events[-1] is None)
    assert changes(counts) == [0]
    push.disconnect()
    until(lambda: counts[-1] == -1)
    pull.disconnect()


def counting(module):
    return utils.ConnectionCountMonitor if module is mflow else original_utils.ConnectionCountMonitor


def test_a_monitor_gets_events_and_a_beat_until_it_is_removed(streams, until):
    seen = []
    push, address = streams.bound(mflow, mflow.PUSH)
    push.register_socket_monitor(seen.append)
    push.register_socket_monitor(seen.append)
    streams.connected(mflow, address, mflow.PULL)
    until(lambda: any(e and e["event"] == zmq.Event.ACCEPTED for e in seen))
    assert sum(1 for e in seen if e and e["event"] == zmq.Event.ACCEPTED) == 1
    until(lambda: seen[-1] is None)
    push.remove_socket_monitor(seen.append)
    count = len(seen)
    streams.connected(mflow, address, mflow.PULL)
    time.sleep(0.15)
    assert len(seen) == count
    push.register_socket_monitor(seen.append)
    until(lambda: len(seen) > count)


def test_the_action_without_clients_waits_while_there_is_one(streams, until):
    acted, counts = threading.Event(), []
    push, address = streams.bound(mflow, mflow.PUSH, no_client_action=acted.set, no_client_timeout=0.2)
    push.register_socket_monitor(utils.ConnectionCountMonitor(counts.append))
    client = streams.connected(mflow, address, mflow.PULL)
    until(lambda: counts[-1] == 1)
    acted.clear()
    assert not acted.wait(0.5)
    client.disconnect()
    until(acted.is_set)


def test_the_action_without_clients_may_close_the_stream(streams, until):
    made = []

    def act():
        made[0].disconnect()

    push, _ = streams.bound(mflow, mflow.PUSH, no_client_action=act, no_client_timeout=0.2)
    made.append(push)
    until(lambda: push.socket.closed)
    until(lambda: not push._listener.monitor_thread.is_alive())


def test_the_action_comes_again_after_as_long():
    acted = []
    follow = utils.no_clients_timeout_notifier(lambda: acted.append(1), 0.05)
    end = time.monotonic() + 10
    while len(acted) < 2:
        follow(0)
        assert time.monotonic() < end
        time.sleep(0.005)
    follow(1)
    follow(0)
    assert len(acted) == 2
