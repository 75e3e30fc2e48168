"""The tools as users run them, and those of the original at the other end."""

from __future__ import annotations

import importlib.metadata
import json
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from itertools import count, pairwise

import pytest
import zmq
from tests.ports import free_port

from repstream import mflow
from repstream.mflow.cli.replay import replay_folder
from repstream.mflow.recording import TIMES, Recorder, messages_in, times_in

PATIENCE = 30
TOOLS = ("dump", "generate", "replay", "split", "stats")


def free_address():
    return f"tcp://127.0.0.1:{free_port()}"


def command(name, *arguments, library="repstream.mflow"):
    return [sys.executable, "-u", "-m", f"{library}.cli.{name}", *map(str, arguments)]


@contextmanager
def started(name, *arguments, library="repstream.mflow"):
    """A tool that runs, and is ended with the block."""
    process = subprocess.Popen(
        command(name, *arguments, library=library), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def run(name, *arguments):
    ran = subprocess.run(
        command(name, *arguments), capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    return ran.returncode, ran.stdout, ran.stderr


def end(process):
    """Ctrl-C; what it said, and its exit code."""
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE)
    return process.returncode, out, err


def message(n, nbytes=10):
    header = {"htype": "raw-1.0", "frame": n}
    return [json.dumps(header).encode(), b"%d" % n + bytes(nbytes)]


@contextmanager
def feeding(streams, messages, mode=mflow.PUSH, pause=0.0):
    """The address of a stream that sends these messages, as fast as they go."""
    push, address = streams.bound(mflow, mode, send_timeout=50, queue_size=1000)
    ended = threading.Event()

    def feed():
        for parts in messages:
            while not ended.wait(pause):
                try:
                    push.send(parts[0], send_more=True)
                except zmq.Again:
                    continue
                push.send(parts[1])
                break
            if ended.is_set():
                return

    thread = threading.Thread(target=feed, daemon=True)
    thread.start()
    try:
        yield address
    finally:
        ended.set()
        thread.join()


def contents(folder):
    return [[path.read_bytes() for path in paths] for _, paths in messages_in(folder)]


def test_the_tools_are_installed_under_their_names():
    scripts = {
        script.name: script.value for script in importlib.metadata.entry_points(group="console_scripts")
    }
    assert {f"m_{name}": f"repstream.mflow.cli.{name}:main" for name in TOOLS}.items() <= scripts.items()


def test_stats_counts_messages_and_frames_that_are_missing(streams):
    with feeding(streams, [message(n) for n in (0, 1, 4, 4, 3, 9)]) as address:
        code, out, _ = run("stats", address, "-n", 6, "--timeout", PATIENCE, "--json")
    seen = json.loads(out)
    assert code == 0
    assert seen["messages_received"] == 6
    assert [seen[name] for name in ("missing", "duplicates", "late", "without_id")] == [5, 1, 1, 0]


@pytest.mark.parametrize(("ids", "code"), [((0, 1, 2), 0), ((0, 2, 3), 1)])
def test_stats_tells_losses_by_its_exit_code(streams, ids, code):
    with feeding(streams, [message(n) for n in ids]) as address:
        assert run("stats", address, "-n", 3, "--timeout", PATIENCE, "--strict")[0] == code


def test_stats_that_gets_nothing_says_so():
    code, out, _ = run("stats", free_address(), "--timeout", 0.1)
    assert code == 3 and "No messages received." in out


def test_stats_reads_the_generator_of_the_original():
    address = free_address()
    with started("generate", "-a", address, "-s", "0.01", library="mflow"):
        code, out, _ = run("stats", address, "-m", "pull", "-i", "0", "-n", 50, "--timeout", PATIENCE)
    assert code == 0
    assert out.splitlines()[0] == "mflow stats started. Sampling interval is 0.00 seconds."
    assert "Data rate:" in out and "Messages received:            50 messages" in out
    assert "Missing:                       0" in out


def test_stats_of_the_original_reads_our_generator():
    address = free_address()
    with started("generate", "-a", address, "-s", "0.01", "-m", "pub") as generator:
        with started("stats", address, "-m", "sub", "-i", "0.05", library="mflow") as stats:
            # The original may take no notice of Ctrl-C while messages keep coming.
            while "Data rate:" not in stats.stdout.readline():
                assert stats.poll() is None
        code, out, _ = end(generator)
    assert code == 0
    assert out.startswith("Sending messages of size 0.010000 MB\n") and "Terminated by user." in out


def test_generate_keeps_to_its_rate_and_number(streams):
    address = free_address()
    with started("generate", "-a", address, "-s", "0.001", "-r", 100, "-n", 20, "-f", "array-1.0") as process:
        pull = streams.connected(mflow, address, mflow.PULL)
        begin = time.monotonic()
        got = [pull.receive() for _ in range(20)]
        assert time.monotonic() - begin >= 0.15
        assert process.wait(PATIENCE) == 0
    assert [one.data["header"]["frame"] for one in got] == list(range(20))
    assert got[0].data["data"][0].nbytes == 1024


def test_dump_keeps_every_part_and_the_times(streams, tmp_path):
    messages = [message(n) for n in range(5)]
    folder = tmp_path / "new" / "folder"
    with feeding(streams, messages, pause=0.02) as address:
        assert run("dump", address, folder, "-n", 5, "--timeout", PATIENCE, "--timing")[0] == 0
    assert contents(folder) == messages
    times = list(times_in(folder).values())
    assert times[0] == 0 and all(later > earlier for earlier, later in pairwise(times))


@pytest.mark.parametrize(("skip", "parts"), [(1, 0), (2, 1), (3, 2)])
def test_dump_leaves_out_parts_from_a_number_on(streams, tmp_path, skip, parts):
    with feeding(streams, [message(n) for n in range(3)]) as address:
        run("dump", address, tmp_path, "-s", skip, "-n", 3, "--timeout", PATIENCE)
    assert contents(tmp_path) == ([message(n)[:parts] for n in range(3)] if parts else [])


def test_dump_shows_messages_without_a_folder(streams):
    with feeding(streams, [message(7, 2)]) as address:
        code, out, _ = run("dump", address, "-n", 1, "--timeout", PATIENCE)
    assert (code, out.splitlines()) == (0, [repr(part) for part in message(7, 2)])


def test_dump_does_not_mix_two_recordings(tmp_path):
    Recorder(tmp_path).write(0, [b"earlier"], 0.0)
    code, _, err = run("dump", free_address(), tmp_path, "--timeout", 0.1)
    assert code == 2 and "holds 1 recorded parts already (--overwrite" in err
    assert contents(tmp_path) == [[b"earlier"]]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_dump_has_no_half_written_file(streams, tmp_path, until, how):
    sizes = 300_000
    with (
        feeding(streams, (message(n, sizes) for n in count())) as address,
        started("dump", address, tmp_path, "--timing") as process,
    ):
        until(lambda: len(list(tmp_path.glob("*_001.raw"))) > 5)
        process.send_signal(how)
        assert process.wait(PATIENCE) == (-9 if how == signal.SIGKILL else 0)
    kept = contents(tmp_path)
    for n, parts in enumerate(kept[:-1]):
        assert parts == message(n, sizes)
    # Only a kill can come between two files of a message; none of them is ever cut off.
    assert kept[-1] == message(len(kept) - 1, sizes)[: len(kept[-1])]
    whole = [f"{n:06d}" for n, parts in enumerate(kept) if len(parts) == 2]
    assert list(times_in(tmp_path)) in (whole, whole[:-1])
    if how != signal.SIGKILL:
        assert list(times_in(tmp_path)) == whole and len(kept[-1]) == 2
        assert not list(tmp_path.glob("*.tmp"))


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    code, _, err = run("dump", free_address(), tmp_path / "file" / "folder")
    assert code == 2 and "Not a directory" in err


def test_replay_sends_what_was_kept(streams, tmp_path):
    messages = [[b"one"], [b"two", b"", b"parts" * 100_000], [b"3", b"4"]]
    recorder = Recorder(tmp_path)
    for n, parts in enumerate(messages):
        recorder.write(n, parts, 0.0)
    address = free_address()
    with started("replay", tmp_path, "-a", address) as process:
        pull = streams.connected(mflow, address, mflow.PULL)
        got = [pull.socket.recv_multipart() for _ in messages]
        out, _ = process.communicate(timeout=PATIENCE)
    assert (got, process.returncode) == (messages, 0)
    assert out.splitlines()[:3] == [
        "Sending 000000_000.raw [False]",
        "Sending 000001_000.raw [True]",
        "Sending 000001_001.raw [True]",
    ]


def test_a_folder_is_replayed_by_a_script(streams, tmp_path, capsys):
    messages = [[b"one"], [b"two", b"", b"parts" * 100_000], [b"3", b"4"]]
    for n, parts in enumerate(messages):
        for i, part in enumerate(parts):
            (tmp_path / f"{n:06d}_{i:03d}.raw").write_bytes(part)
    address = free_address()
    pull = streams.connected(mflow, address, mflow.PULL)
    replay_folder(address, str(tmp_path), mflow.PUSH)
    assert [pull.socket.recv_multipart() for _ in messages] == messages
    assert len(capsys.readouterr().out.splitlines()) == 6
    for folder, reason in ((tmp_path / "none", "No such file"), (tmp_path, "no messages")):
        for path in tmp_path.glob("*.raw"):
            path.unlink()
        with pytest.raises(ValueError, match=reason):
            replay_folder(address, folder, mflow.PUB)


def test_replay_keeps_the_times(streams, tmp_path):
    recorder = Recorder(tmp_path, timing=True)
    for n, seconds in enumerate((0.0, 0.01, 0.9)):
        recorder.write(n, message(n), seconds)
    address = free_address()
    with started("replay", tmp_path, "-a", address, "--timing", "--speed", 2):
        pull = streams.connected(mflow, address, mflow.PULL)
        arrived = []
        for _ in range(3):
            assert pull.receive()
            arrived.append(time.monotonic())
    assert arrived[2] - arrived[1] >= 0.4


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ((), "No such file"),
        (("--timing",), TIMES),
        (("--speed", 0), "speed"),
        (("-m", "pub"), "holds no messages"),
    ],
)
def test_replay_refuses_what_it_cannot_send(tmp_path, arguments, reason):
    folder = tmp_path / "nowhere" if reason == "No such file" else tmp_path
    if "--timing" in arguments:
        Recorder(folder).write(0, [b"x"], 0.0)
    code, _, err = run("replay", folder, "-a", free_address(), *arguments)
    assert code == 2 and reason in err


def test_a_replay_that_nobody_receives_ends_at_once_when_told(tmp_path):
    Recorder(tmp_path).write(0, [b"x"], 0.0)
    with started("replay", tmp_path, "-a", free_address(), "--live") as process:
        process.stderr.read(1)
        assert end(process)[0] == 3


def test_the_tools_of_the_original_replay_and_dump_our_recordings(tmp_path, until):
    messages = [message(n) for n in range(5)]
    recorder = Recorder(tmp_path / "ours", timing=True)
    for n, parts in enumerate(messages):
        recorder.write(n, parts, 0.0)
    there, back = free_address(), free_address()
    with started("dump", there, tmp_path / "theirs", library="mflow") as dump:
        with started("replay", tmp_path / "ours", "-a", there):
            until((tmp_path / "theirs" / "000004_001.raw").is_file)
        dump.kill()
    until(lambda: contents(tmp_path / "theirs") == messages)
    with started("replay", tmp_path / "theirs", "-a", back, library="mflow"):
        assert run("dump", back, tmp_path / "again", "-n", 5, "--timeout", PATIENCE)[0] == 0
    assert contents(tmp_path / "again") == messages


def test_split_tells_what_each_output_got(streams):
    addresses = [free_address() for _ in range(3)]
    settings = ("", ",modulo=10", ",policy=strides,stride=10,name=tens")
    outputs = [address + more for address, more in zip(addresses, settings, strict=True)]
    with feeding(streams, [message(n) for n in range(100)]) as source:
        pulls = [streams.connected(mflow, address, mflow.PULL) for address in addresses]
        code, out, _ = run("split", source, *outputs, "-n", 100, "--timeout", PATIENCE)
    got = [
        [pull.receive().data["header"]["frame"] for _ in range(expected)]
        for pull, expected in zip(pulls, (100, 10, 50), strict=True)
    ]
    assert code == 0
    assert got == [list(range(100)), list(range(9, 100, 10)), [n for n in range(100) if n // 10 % 2 == 0]]
    assert "output 2: sent 10, skipped 90 by policy, dropped 0, unsent 0" in out
    assert "tens: sent 50, skipped 50 by policy" in out


def test_split_follows_a_configuration_file(streams, tmp_path):
    bound, address = streams.bound(mflow, mflow.PULL, receive_timeout=PATIENCE * 1000)
    config = tmp_path / "config.json"
    with feeding(streams, [message(n) for n in range(20)]) as source:
        streams_described = [{"address": address, "mode": "push", "queue_size": 5, "modulo": 4}]
        config.write_text(
            json.dumps({"source": {"address": source, "mode": "PULL"}, "streams": streams_described})
        )
        code, out, _ = run("split", "-c", config, "-n", 20, "--timeout", PATIENCE, "--json")
    assert code == 0
    assert [bound.receive().data["header"]["frame"] for _ in range(5)] == [3, 7, 11, 15, 19]
    assert json.loads(out)["outputs"][0]["sent"] == 5


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (
            {"source": {"address": "tcp://h:1", "mode": "PUB"}, "streams": [{"address": "tcp://h:2"}]},
            "'PULL' or",
        ),
        (
            {"source": {"address": "tcp://h:1"}, "streams": [{"address": "tcp://h:2", "mode": "SUB"}]},
            "'PUSH' or",
        ),
        ({"source": {}, "streams": [{"address": "tcp://h:2"}]}, "address"),
        ({"source": {"address": "tcp://h:1"}, "streams": []}, "names no streams"),
        ([], "must be an object"),
        ("{", "Expecting"),
    ],
)
def test_split_refuses_a_configuration_that_makes_no_sense(tmp_path, config, reason):
    path = tmp_path / "config.json"
    path.write_text(config if isinstance(config, str) else json.dumps(config))
    code, _, err = run("split", "-c", path)
    assert code == 2 and reason in err and "Traceback" not in err


def test_split_ends_on_interruption_and_tells(streams):
    out_address = free_address()
    with (
        feeding(streams, (message(n) for n in count()), pause=0.001) as source,
        started("split", source, out_address, "--live") as process,
    ):
        pull = streams.connected(mflow, out_address, mflow.PULL)
        assert pull.receive()
        code, out, _ = end(process)
    assert code == 0 and out.splitlines()[1].startswith("output 1: sent ")


@pytest.mark.parametrize("name", TOOLS)
def test_wrong_usage_is_told_by_the_exit_code(name):
    code, _, err = run(name, "--nonsense")
    assert code == 2 and "usage: m_" + name in err


@pytest.mark.parametrize("name", ["stats", "dump"])
def test_an_address_that_is_none_is_refused(name):
    code, _, err = run(name, "nonsense")
    assert code == 2 and "Unable to connect to nonsense" in err and "Traceback" not in err
