"""The examples of the message library and its tools, run as they are."""

import os
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
RUN_HERE = {"mflow_receive.py", "mflow_send.py", "mflow_own_format.py", "mflow_merge.py", "mflow_tools.sh"}


@contextmanager
def python(name, *arguments):
    """An example that runs, and is ended with the block."""
    process = subprocess.Popen(
        [sys.executable, EXAMPLES / name, *map(str, arguments)], stdout=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def free_ports(count):
    """Neighbouring ports that are free, the first of them."""
    for first in range(20_000 + os.getpid() % 20_000, 60_000, count):
        probes = [socket.socket() for _ in range(count)]
        try:
            for n, probe in enumerate(probes):
                probe.bind(("127.0.0.1", first + n))
        except OSError:
            continue
        else:
            return first
        finally:
            for probe in probes:
                probe.close()
    pytest.fail("no free ports")


def test_every_example_is_run():
    assert {path.name for path in EXAMPLES.glob("mflow_*")} == RUN_HERE


def test_what_one_example_sends_another_receives():
    address = f"tcp://127.0.0.1:{free_ports(1)}"
    with python("mflow_send.py", address, 20) as sender, python("mflow_receive.py", address, 20) as receiver:
        out, _ = receiver.communicate(timeout=60)
        assert sender.communicate(timeout=60)[0] == "20 images sent\n"
    assert out.startswith(f"20 images of (60, 80), sum {60 * 80 * sum(range(20))}, ")


def test_a_format_of_ones_own():
    with python("mflow_own_format.py") as process:
        assert process.communicate(timeout=60)[0] == "(0.1, 0.2, 0.3)\n"


def test_merged_streams():
    first = free_ports(2)
    addresses = [f"tcp://127.0.0.1:{first + n}" for n in range(2)]
    with (
        python("mflow_send.py", addresses[0], 20),
        python("mflow_send.py", addresses[1], 20),
        python("mflow_merge.py", *addresses, 40) as merge,
    ):
        assert merge.communicate(timeout=60)[0].startswith("40 messages")


def test_the_tools_together(tmp_path):
    tools = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    command = ["sh", EXAMPLES / "mflow_tools.sh", tmp_path / "kept", str(free_ports(4))]
    ran = subprocess.run(command, env=tools, capture_output=True, text=True, timeout=100, check=False)
    assert ran.returncode == 0, ran.stderr
    assert "output 2: sent 10, skipped 90 by policy" in ran.stdout
    assert "Messages received:           100 messages" in ran.stdout
    assert "Messages received:            10 messages" in ran.stdout
    assert len(list((tmp_path / "kept").glob("*.raw"))) == 20
