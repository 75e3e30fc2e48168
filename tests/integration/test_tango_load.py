"""Tango under load: all who poll or subscribed get the last values, whoever dies or stands still."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from repstream.link.server import EngineServer
from repstream.protocol import Requester
from tests.device_servers.serving import ANY_PORT, REPEATER, tango_server
from tests.fakes import running_service

ME = Requester("http", "somebody", "elsewhere")
FRAMES = 12_000
LAST = 977


def test_every_client_has_the_last_values_in_the_end(tmp_path: Path) -> None:
    ways = ["poll", "poll", "poll", "subscribe", "subscribe", "subscribe", "die", "die"]
    with running_service(tmp_path) as (service, plane), ExitStack() as ending:
        server = EngineServer(service, ANY_PORT)
        server.start()
        ending.callback(server.close)
        trl = ending.enter_context(tango_server(server.address, slots=1))
        clients = [_client(trl(REPEATER), way) for way in ways]
        for client in clients:
            ending.enter_context(client)
            ending.callback(client.kill)
        assert [_said(client) for client in clients] == ["ready"] * len(clients)
        killed, halted = clients[-2:]
        service.execute("engine.start", None, ME)
        for number in range(1, 121):
            plane.receive(FRAMES // 120)
            service.write({"streams.live.every_nth": number}, ME)
            if number == 40:
                killed.kill()
                os.kill(halted.pid, signal.SIGSTOP)
        service.write({"streams.live.every_nth": LAST}, ME)
        assert [_said(client) for client in clients[:-2]] == ["seen"] * (len(clients) - 2)


def _client(device: str, way: str) -> subprocess.Popen[str]:
    program = Path(__file__).with_name("tango_load_client.py")
    line = [sys.executable, str(program), device, way, str(FRAMES), str(LAST)]
    return subprocess.Popen(line, stdout=subprocess.PIPE, text=True)


def _said(client: subprocess.Popen[str]) -> str:
    assert client.stdout is not None
    return client.stdout.readline().strip()
