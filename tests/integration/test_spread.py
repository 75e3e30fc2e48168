"""A manager with servers as processes of their own: one is killed, one stands still."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from subprocess import Popen

import httpx
import pytest

from repstream_http.compat.cam_server.build import Settings, camera_server
from repstream_http.server import HttpServer
from tests.cli.cam_server import program, wait_until_ready
from tests.engine.instances.fakes import FakeLauncher
from tests.ports import free_port
from tests.waiting import until

client = pytest.importorskip("cam_server_client")

CAMERA = {"source": "", "source_type": "simulation", "no_client_timeout": 0}
HERE = ("-i", "127.0.0.1", "-n", "127.0.0.1", "-p")


@dataclass
class Hosts:
    manager: str
    workers: dict[str, Popen[str]]


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosts]:
    folder = tmp_path_factory.mktemp("hosts")
    with ExitStack() as stack:
        workers = {}
        for _ in range(3):
            port = free_port()
            worker = stack.enter_context(program("camera_worker", folder, *HERE, port))
            workers[f"http://127.0.0.1:{port}"] = worker
        for worker in workers.values():
            wait_until_ready(worker)
        settings = Settings(folder, folder, folder, folder, manager="http://manager", servers=tuple(workers))
        app, _ = stack.enter_context(camera_server(settings, FakeLauncher()))
        yield Hosts(stack.enter_context(HttpServer(app, port=0)).url, workers)
        for worker in workers.values():
            worker.send_signal(signal.SIGCONT)


def test_cameras_on_three_servers_one_killed_one_standing_still(hosts: Hosts) -> None:
    cameras, proxy = client.CamClient(hosts.manager), client.ProxyClient(hosts.manager)
    names = [f"c{n}" for n in range(6)]
    for name in names:
        cameras.set_camera_config(name, CAMERA)
        cameras.get_instance_stream(name)
    info = proxy.get_servers_info()
    assert list(info) == list(hosts.workers)
    shares = sorted(len(each["instances"]) for each in info.values())
    assert shares in ([2, 2, 2], [1, 2, 3])  # cores that are busy with a start count too
    assert cameras.get_camera_geometry("c0") == [1280, 960]  # of a stream from another process
    assert {each["host"] for each in proxy.get_instances_info().values()} == set(hosts.workers)
    killed, left, still = sorted(info, key=lambda address: len(info[address]["instances"]))
    streams = {name: cameras.get_instance_stream(name) for name in names}

    hosts.workers[killed].kill()
    hosts.workers[still].send_signal(signal.SIGSTOP)

    def unreachable() -> set[str]:
        return {address for address, each in proxy.get_servers_info().items() if each["load"] == 1000}

    until(lambda: unreachable() == {killed, still}, "both to be shown so")
    assert proxy.get_status_info()[killed] is None
    slowest = threading.Thread(target=cameras.get_instance_stream, args=(info[still]["instances"][0],))
    slowest.start()
    begin = time.monotonic()
    there = info[left]["instances"]
    assert [cameras.get_instance_stream(name) for name in there] == [streams[name] for name in there]
    assert cameras.is_instance_running(there[0])
    answered = time.monotonic() - begin
    slowest.join()
    assert answered < 15  # the one that stands still would hold it up for 30 s
    moved = info[killed]["instances"][0]
    assert cameras.get_instance_stream(moved) != streams[moved]
    assert moved in proxy.get_servers_info()[left]["instances"]

    hosts.workers[still].send_signal(signal.SIGCONT)
    again, *stay = info[still]["instances"]
    until(lambda: unreachable() == {killed}, "it to be there again")
    until(lambda: proxy.get_servers_info()[still]["instances"] == stay, "the first one to be stopped")
    assert [cameras.get_instance_stream(name) for name in stay] == [streams[name] for name in stay]
    assert again in proxy.get_servers_info()[left]["instances"]
    assert httpx.get(f"{hosts.manager}/api/v1/cam/{stay[0]}/is_online").json()["online"] is True
    cameras.stop_all_instances()
    until(lambda: proxy.get_instances_info() == {}, "all to end")
