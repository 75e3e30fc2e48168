"""The server ends as it is asked to, or is killed: no process, port or file is left, the engine goes on."""

from __future__ import annotations

import signal
import subprocess
from contextlib import ExitStack
from pathlib import Path

import pytest
import tango

from repstream_tango.command_line import READY_LINE, command_line
from tests.cli.processes import below, still_alive
from tests.device_servers.serving import REPEATER, engine_at, free_port, until
from tests.device_servers.watching import Watch


def started(line: list[str], folder: Path, stack: ExitStack) -> subprocess.Popen[str]:
    server = stack.enter_context(subprocess.Popen(line, stdout=subprocess.PIPE, text=True, cwd=folder))
    stack.callback(server.kill)
    assert server.stdout is not None
    assert any(said.strip() == READY_LINE for said in server.stdout)
    return server


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGTERM, 0), (signal.SIGINT, 0), (signal.SIGKILL, -signal.SIGKILL)]
)
def test_nothing_is_left_and_another_serves_at_the_same_port(
    tmp_path: Path, number: signal.Signals, status: int
) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    with engine_at(tmp_path) as (address, _), ExitStack() as stack:
        port = free_port()
        line = command_line(address, port=port)
        server = started(line, folder, stack)
        proxy = tango.DeviceProxy(f"tango://127.0.0.1:{port}/{REPEATER}#dbase=no")
        watch = Watch()
        subscription = proxy.subscribe_event("SourceMode", tango.EventType.CHANGE_EVENT, watch)
        watch.next_where(lambda told: True)
        everything = {server.pid, *below(server.pid)}
        server.send_signal(number)
        assert server.wait(30) == status
        assert not still_alive(everything)
        assert list(folder.iterdir()) == []
        started(line, folder, stack)

        def is_found() -> bool:
            try:
                return proxy.state() == tango.DevState.STANDBY
            except tango.DevFailed:
                return False

        until(is_found, "the engine, by the next server")
        proxy.unsubscribe_event(subscription)
