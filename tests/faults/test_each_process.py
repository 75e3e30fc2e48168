"""Each process of a site killed alone: the site is whole again, and in the end nothing is left of it."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path

import pytest
import tango
from tango import DevState

from tests.cli.processes import below, still_alive
from tests.cli.running import free_port, started
from tests.device_servers.serving import REPEATER
from tests.waiting import until

KILLED = ("repstream.dataplane", "repstream.pictures", "repstream_tango")
"""Some of the processes of a site, by module."""


@pytest.mark.timeout(240)
def test_each_process_may_be_killed_and_nothing_is_left_in_the_end(tmp_path: Path) -> None:
    engine, tango_port, epics, http, pva = ports = [free_port() for _ in range(5)]
    options = {"tango": tango_port, "epics": epics, "http": http, "pva": pva}
    line = [part for name, port in options.items() for part in (f"--{name}-port", str(port))]
    line += ["--engine-address", f"tcp://127.0.0.1:{engine}", "--root", str(tmp_path)]
    with started("serve", *line) as serve:
        assert serve.stdout is not None
        assert any("serving" in said for said in serve.stdout)
        repeater = tango.DeviceProxy(f"tango://127.0.0.1:{tango_port}/{REPEATER}#dbase=no")
        until(lambda: is_calm(repeater), "the devices to find the engine")
        assert repeater.state() != DevState.FAULT
        kinds = [words(process) for process in sorted(below(serve.pid))]
        assert all(any(one in kind for kind in kinds) for one in KILLED), kinds
        for kind in kinds:
            process = next(one for one in below(serve.pid) if words(one) == kind)
            os.kill(process, signal.SIGKILL)
            until(lambda gone=process: gone not in below(serve.pid), f"the end of {kind}")  # type: ignore[misc]
            if "repstream.dataplane" in kind:
                until(lambda: repeater.state() == DevState.FAULT, "State to say so")
                assert "data plane" in repeater.status()
            until(lambda: is_calm(repeater), f"a whole site after the end of {kind}", 90)
        everything = {serve.pid, *below(serve.pid)}
        serve.send_signal(signal.SIGTERM)
        said = serve.communicate(timeout=30)[1]
        assert serve.returncode == 0, said[-2000:]
    assert not still_alive(everything)
    for port in ports:
        with socket.socket() as again:
            again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            again.bind(("127.0.0.1", port))
    assert list(tmp_path.iterdir()) == []


def words(process: int) -> str:
    """The command line of a process."""
    return Path(f"/proc/{process}/cmdline").read_bytes().replace(b"\0", b" ").decode()


def is_calm(repeater: tango.DeviceProxy) -> bool:
    """Whether the repeater can be started; one that lost its data plane is given another."""
    try:
        if repeater.state() == DevState.FAULT:
            repeater.command_inout("Initialize")
        repeater.command_inout("Start")
        running = repeater.state() == DevState.RUNNING
        repeater.command_inout("Stop")
        return bool(running)
    except tango.DevFailed:
        return False
