"""A simulated detector and a consumer as users run them: two commands on two terminals."""

import errno
import json
import os
import signal
import socket

import pytest

from repstream_cli import main
from repstream_cli.exits import Exit
from tests.cli.running import free_port, repstream, run_here, started

SMALL = ("--size", "64x80", "--rate", 0)


def said_in(stderr):
    """An error message without its box and its line breaks."""
    return " ".join(stderr.replace("│", "").split())


@pytest.fixture
def address():
    return f"tcp://127.0.0.1:{free_port()}"


def test_a_consumer_counts_what_was_sent(address):
    faults = ("--gaps", 0.1, "--duplicates", 0.1, "--errors", 0.1, "--seed", 5)
    with started("simulate", "-a", address, *SMALL, "-n", 300, *faults, "--json") as detector:
        seen = repstream("consume", address, "--timeout", 5, "--json", "--strict")
        sent = json.loads(detector.communicate(timeout=30)[0])
    counted = json.loads(seen.stdout)
    assert seen.returncode == Exit.FAULTS
    assert sent["left_out"] > 0
    for name in ("frames", "duplicates", "malformed", "last_frame_id"):
        assert counted[name] == sent[name]
    assert counted["bytes"] == sent["nbytes"]


@pytest.mark.parametrize("mode", ["push", "pub"])
@pytest.mark.parametrize("header", ["gigafrost", "array-1.0"])
def test_a_stream_without_faults_is_all_right(address, mode, header):
    taker = {"push": "pull", "pub": "sub"}[mode]
    options = ("--mode", mode, "--header", header, "--wait-consumer")
    with started("simulate", "-a", address, *SMALL, "-n", 50, *options):
        seen = repstream("consume", address, "--mode", taker, "-n", 50, "--timeout", 20, "--strict")
    assert seen.returncode == Exit.OK, seen
    assert "frames 50" in seen.stdout


def test_a_saved_stream_can_be_sent_again(address, tmp_path):
    with started("simulate", "-a", address, *SMALL, "-n", 5):
        assert repstream("consume", address, "-n", 5, "--save", tmp_path).returncode == Exit.OK
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names[:3] == ["000000_000.raw", "000000_001.raw", "000001_000.raw"]
    again = ("--folder", tmp_path, "--renumber", "--first", 70, "-n", 8, "--rate", 0)
    with started("simulate", "-a", address, *again):
        seen = repstream("consume", address, "-n", 8, "--json", "--strict")
    assert json.loads(seen.stdout)["last_frame_id"] == 77


def test_either_end_may_bind(address):
    with started("simulate", "-a", address, "--connect", *SMALL, "-n", 10):
        assert repstream("consume", address, "--bind", "-n", 10, "--timeout", 20).returncode == Exit.OK


def test_nothing_received_is_an_exit_code_of_its_own(address):
    seen = repstream("consume", address, "--timeout", 0.2)
    assert seen.returncode == Exit.NOTHING
    assert "nothing was received" in seen.stdout


def test_fewer_frames_than_asked_for_is_told(address):
    with started("simulate", "-a", address, *SMALL, "-n", 5):
        assert repstream("consume", address, "-n", 6, "--timeout", 2).returncode == Exit.NOTHING


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("simulate", "--size", "12"), "HEIGHTxWIDTH"),
        (("simulate", "--type", "uint24"), "uint16"),
        (("simulate", "--folder", "/nowhere"), "/nowhere"),
        (("simulate", "--address", "nonsense"), "nonsense"),
        (("simulate", "--rate", -1), "greater"),
        (("consume", "nonsense"), "nonsense"),
    ],
)
def test_wrong_usage_is_said(arguments, said):
    run = run_here(*arguments)
    assert run.returncode == Exit.USAGE
    assert said in run.stderr


@pytest.mark.parametrize("command", [("simulate", "-a"), ("consume", "--bind")])
def test_a_taken_address_is_said(command):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        run = repstream(*command, f"tcp://127.0.0.1:{taken.getsockname()[1]}")
    assert run.returncode == Exit.USAGE
    assert "already in use" in run.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_command_still_sums_up(address, number):
    with started("simulate", "-a", address, "--size", "64x80", "--rate", 200, "--json") as detector:
        assert repstream("consume", address, "-n", 5).returncode == Exit.OK
        detector.send_signal(number)
        stdout, _ = detector.communicate(timeout=20)
    assert detector.returncode == Exit.OK
    assert json.loads(stdout)["frames"] >= 5


def test_what_a_stream_leaves_out_on_purpose_is_no_fault(address, tmp_path):
    with started("simulate", "-a", address, *SMALL, "-n", 100, "--gaps", 0.5, "--seed", 5):
        seen = repstream("consume", address, "--timeout", 3, "--json", "--strict", "--decimated")
    counted = json.loads(seen.stdout)
    assert seen.returncode == Exit.OK
    assert counted["left_out"] > 0
    assert "missing" not in counted


def test_two_recordings_are_never_mixed(address, tmp_path):
    (tmp_path / "000000_000.raw").touch()
    seen = repstream("consume", address, "--save", tmp_path)
    assert seen.returncode == Exit.USAGE
    assert "has recorded parts already" in said_in(seen.stderr)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("status", "-a", "127.0.0.1"), "tcp://host:9600"),
        (("consume", "--save", "/proc/x"), "cannot be made"),
        (("simulate", "--first", 2**64 - 1, "-n", 2), "ids end at"),
        (("simulate", "--first", 2**64, "-n", 1), "less than or equal to 18446744073709551615"),
        (("simulate", "--file", "/nothing.h5"), "/nothing.h5"),
        (("simulate", "--folder", "/nothing"), "/nothing"),
    ],
)
def test_wrong_usage_is_said_in_words(arguments, said):
    seen = run_here(*arguments)
    assert seen.returncode == Exit.USAGE
    assert said in said_in(seen.stderr)
    assert "Traceback" not in seen.stderr


def test_a_fault_of_the_system_is_said_in_words(monkeypatch, capsys):
    def full():
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/data/000000_000.raw")

    monkeypatch.setattr(main, "app", full)
    with pytest.raises(SystemExit) as ended:
        main.main()
    assert ended.value.code == Exit.FAULTS
    assert "No space left on device: '/data/000000_000.raw'" in capsys.readouterr().err
