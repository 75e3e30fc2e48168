"""Splitting: every output gets what its policy says, whole messages, in order."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import zmq
from tests.ports import free_port

from repstream.errors import InvalidValue, Refused
from repstream.mflow.splitting import Output, Splitter, output_of, source_of
from repstream.policies import decimation

PATIENCE = 10_000
POLICIES = {
    "modulo": {"modulo": 5},
    "forward": {},
    "send_every_nth": {"every_nth": 5},
    "send_every_nth_frame": {"burst": 2, "frame_block": 5},
    "strides": {"stride": 3},
    "batch": {"burst": 2, "frame_block": 5},
    "send_every_sec": {"every_sec": 3600.0},
    "periodic": {"burst": 3, "burst_rate": 0.001},
}


def socket(context, kind):
    made = context.socket(kind)
    made.linger, made.rcvtimeo, made.sndtimeo = 0, PATIENCE, PATIENCE
    made.rcvhwm = made.sndhwm = 2000
    return made, f"tcp://127.0.0.1:{made.bind_to_random_port('tcp://127.0.0.1')}"


class Bench:
    """A splitter in a thread between bare sockets."""

    def __init__(self, context, *outputs, **source):
        self.source, address = socket(context, zmq.PUSH)
        pulls = [socket(context, zmq.PULL) for _ in outputs]
        self.pulls = [pull for pull, _ in pulls]
        described = [
            output_of(number, {"address": pulls[number][1], **fields})
            for number, fields in enumerate(outputs)
        ]
        self.splitter = Splitter(source_of({"address": address, **source}), described)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self):
        while not self._stop.is_set():
            self.splitter.turn()

    @contextmanager
    def running(self) -> Iterator[Bench]:
        self._thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            self._thread.join(10)
            self.splitter.close(0)

    def send(self, *messages):
        for parts in messages:
            self.source.send_multipart(parts)


def message(n, more=1, **fields):
    header = json.dumps({"htype": "raw-1.0", **(fields or {"frame": n})}).encode()
    return [header, *(b"%d-%d" % (n, i) for i in range(more))]


LAST = [b"the last one"]


def until_last(pull):
    return list(iter(pull.recv_multipart, LAST))


def ids(messages):
    return [json.loads(parts[0])["frame"] for parts in messages]


@pytest.mark.parametrize("policy", decimation.Decimation)
def test_every_policy_of_the_engine_decides(context, policy):
    """Beside it an output that gets all, so that the end of the run is seen."""
    settings = POLICIES[policy]
    expected = decimation.make(policy, **settings)
    numbers = [0, 1, 2, 3, 4, 5, 6, 9, 10, 11, 30, 31, 32, 33, 34, 35, 2, 3, 4, 5]
    wanted = [n for n in numbers if expected.decide(n, 0.0)]
    with Bench(context, {"policy": policy.value, **settings}, {}).running() as bench:
        bench.send(*(message(n) for n in numbers))
        assert [ids([bench.pulls[1].recv_multipart()])[0] for _ in numbers] == numbers
        assert [ids([bench.pulls[0].recv_multipart()])[0] for _ in wanted] == wanted
        ledger = bench.splitter.outputs[0].ledger
        assert ledger.sent == len(wanted) and sum(ledger.skipped.values()) == len(numbers) - len(wanted)
        assert not bench.pulls[0].poll(50)


@pytest.mark.parametrize("parts", [0, 1, 2, 5])
def test_modulo_counts_messages_whatever_their_parts(context, parts):
    messages = [message(n, parts) for n in range(20)]
    with Bench(context, {"modulo": 5}, {}).running() as bench:
        bench.send(*messages)
        assert [bench.pulls[1].recv_multipart() for _ in messages] == messages
        assert [bench.pulls[0].recv_multipart() for _ in range(4)] == messages[4::5]


def test_messages_of_any_content_pass_untouched(context):
    messages = [[b""], [b"\xff" * 9, b""], [b"{}", b"x" * 300_000, b""], message(3, 40)]
    with Bench(context, {}).running() as bench:
        bench.send(*messages, LAST)
        assert until_last(bench.pulls[0]) == messages


def test_a_message_without_an_id_goes_by_its_number(context):
    with Bench(context, {"policy": "send_every_nth", "every_nth": 3}, {}).running() as bench:
        bench.send(*([b"no header %d" % n] for n in range(7)))
        assert [bench.pulls[0].recv_multipart() for _ in range(3)] == [
            [b"no header %d" % n] for n in (0, 3, 6)
        ]


def test_pulse_ids_are_ids(context):
    with Bench(context, {"policy": "send_every_nth", "every_nth": 10}).running() as bench:
        bench.send(*(message(n, pulse_id=n) for n in range(5, 25)))
        assert [json.loads(bench.pulls[0].recv_multipart()[0])["pulse_id"] for _ in range(2)] == [10, 20]


def test_a_push_output_without_a_consumer_holds_the_others_and_loses_nothing(context):
    """As with the original: a full queue waits."""
    payload = bytes(1_000_000)
    bench = Bench(context, {"queue_size": 1}, {})
    slow, fast = bench.pulls
    endpoint = slow.last_endpoint.decode()
    slow.close()
    with bench.running():
        feeding = threading.Thread(target=bench.send, args=[[b"%d" % n, payload] for n in range(100)])
        feeding.start()
        came = 0
        while fast.poll(500):
            assert fast.recv_multipart()[0] == b"%d" % came
            came += 1
        assert came < 100
        late = context.socket(zmq.PULL)
        late.rcvtimeo, late.linger = PATIENCE, 0
        late.bind(endpoint)
        assert [late.recv_multipart()[0] for _ in range(100)] == [b"%d" % n for n in range(100)]
        assert [fast.recv_multipart()[0] for _ in range(100 - came)] == [b"%d" % n for n in range(came, 100)]
        feeding.join()


def test_an_output_that_drops_holds_nobody_and_counts(context):
    payload = bytes(1_000_000)
    bench = Bench(context, {"queue_size": 1, "on_slow": "drop_newest"}, {})
    bench.pulls[0].close()
    with bench.running():
        feeding = threading.Thread(target=bench.send, args=[[b"%d" % n, payload] for n in range(100)])
        feeding.start()
        assert [bench.pulls[1].recv_multipart()[0] for _ in range(100)] == [b"%d" % n for n in range(100)]
        feeding.join()
    counted = bench.splitter.outputs[0].ledger.snapshot()
    assert counted.dropped["queue"] > 0
    assert counted.offered == 100 == counted.sent + sum(counted.dropped.values())


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"mode": "REP"}, "'PUSH' or 'PUB', not 'REP'"),
        ({"mode": "SUB"}, "'PUSH' or 'PUB', not 'SUB'"),
        ({"modulo": 0}, "must be 1 or more"),
        ({"modulus": 3}, "did you mean modulo"),
        ({"policy": "sometimes"}, "policy"),
        ({"queue_size": -1}, "buffer_size"),
        ({"address": "nonsense"}, "address"),
    ],
)
def test_an_output_that_makes_no_sense_is_refused(fields, reason):
    with pytest.raises(InvalidValue, match=reason):
        output_of(1, {"address": "tcp://*:8888", **fields})


def test_an_output_or_source_without_an_address_or_mode_is_refused():
    with pytest.raises(InvalidValue, match="no address"):
        output_of(1, {"mode": "PUSH"})
    with pytest.raises(InvalidValue, match="'PULL' or 'SUB', not 'PUSH'"):
        source_of({"address": "tcp://host:1", "mode": "push"})
    with pytest.raises(InvalidValue, match="must be an object"):
        output_of(1, ["tcp://*:1"])


def test_defaults_and_spellings_are_those_of_the_original():
    source = source_of({"address": "tcp://host:7777", "mode": "sub", "queue_size": 10})
    assert (source.mode, source.buffer_size, source.connection) == ("SUB", 10, "connect")
    assert source_of({"address": "tcp://*:7777"}).connection == "bind"
    bound, connected = output_of(1, {"address": "tcp://*:1"}), output_of(2, {"address": "tcp://host:1"})
    assert (bound.connects, connected.connects) == (False, True)
    assert (bound.config.mode, bound.config.buffer_size, bound.config.policy) == ("PUSH", 100, "forward")
    assert (bound.config.on_slow, output_of(1, {"address": "tcp://*:1", "mode": "pub"}).config.on_slow) == (
        "block",
        "drop_oldest",
    )


def test_an_address_that_is_taken_leaves_nothing_open(context):
    _taken, address = socket(context, zmq.PULL)
    other = f"tcp://127.0.0.1:{free_port()}"
    outputs = [Output("a", output_of(1, {"address": other}).config, connects=False)]
    outputs.append(Output("b", output_of(1, {"address": address}).config, connects=False))
    with pytest.raises(Refused, match="cannot bind"):
        Splitter(source_of({"address": "tcp://127.0.0.1:9"}), outputs)
    again = context.socket(zmq.PULL)
    again.bind(other)
