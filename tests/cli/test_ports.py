"""Ports: asked for before anything is started."""

import socket
from pathlib import Path

import pytest

from repstream.errors import PortTakenError
from repstream_cli import ports
from repstream_cli.demo import setup


@pytest.fixture
def taken():
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_taken_port_is_told_with_the_option_to_give(taken):
    with pytest.raises(PortTakenError, match=f"the HTTP server .*:{taken}.*--http-port"):
        ports.require("127.0.0.1", taken, "the HTTP server", "--http-port")


def test_a_host_that_is_not_ours_is_told():
    with pytest.raises(PortTakenError, match="--host"):
        ports.require("192.0.2.1", 80, "the HTTP server", "--http-port")


def test_the_usual_port_is_taken_if_it_is_free(taken):
    other = ports.free("127.0.0.1", taken)
    assert other != taken
    assert ports.free("127.0.0.1", other, udp=True) == other


def test_no_connection_that_somebody_opens_has_the_port_in_the_meantime():
    first, last = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    assert ports.free("127.0.0.1", 0) in set(ports.OTHERS) - set(range(first, last + 1))


def test_a_port_taken_for_datagrams_is_not_free_for_both():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        assert not ports.is_free("127.0.0.1", server.getsockname()[1], udp=True)


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("tcp://127.0.0.1:9600", ("127.0.0.1", 9600)),
        ("tcp://*:9600", ("0.0.0.0", 9600)),
        ("tcp://127.0.0.1:*", ("127.0.0.1", 0)),
        ("tcp://[::1]:9600", ("::1", 9600)),
        ("ipc:///tmp/engine", None),
    ],
)
def test_host_and_port_of_an_address(address, found):
    assert ports.host_and_port(address) == found


def test_what_listens_everywhere_is_reached_here():
    assert ports.reachable("tcp://0.0.0.0:9600") == "tcp://127.0.0.1:9600"
    assert ports.reachable("tcp://*:9600") == "tcp://127.0.0.1:9600"
    assert ports.reachable("tcp://10.0.0.1:9600") == "tcp://10.0.0.1:9600"


def test_the_demo_takes_no_port_twice(monkeypatch):
    named = iter([20_001, 20_001, 20_002, 20_002, 20_001, 20_003, 20_004, 20_005, 20_006, 20_007, 20_008])
    monkeypatch.setattr("repstream_cli.ports.free", lambda host, preferred, udp=False: next(named))
    found = setup.choose_ports(any_ports=True)
    single = [found.engine, found.http, found.epics, found.database, found.detector]
    assert sorted([*single, *found.streams]) == list(range(20_001, 20_009))
