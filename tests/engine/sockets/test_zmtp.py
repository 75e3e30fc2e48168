"""What a peer says of itself, whatever it says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repstream.sockets.zmtp import GREETING, mechanism, socket_type

READY = b"\x05READY" + b"\x0bSocket-Type\0\0\0\x04PUSH" + b"\x08Identity\0\0\0\0"
SHORT = b"\x04" + bytes([len(READY)]) + READY
LONG = b"\x06" + len(READY).to_bytes(8, "big") + READY


@pytest.mark.parametrize("command", [SHORT, LONG], ids=["short", "long"])
def test_the_type_is_known_as_soon_as_it_is_said(command: bytes) -> None:
    data = GREETING + command
    assert [socket_type(data[:size]) for size in range(len(data))] == [None] * len(data)
    assert socket_type(data) == socket_type(data + b"more") == "PUSH"
    assert mechanism(data) == "NULL"


@pytest.mark.parametrize(("number", "name"), [(1, "PUB"), (7, "PULL"), (8, "PUSH"), (99, None)])
def test_an_older_peer_says_its_type_as_a_number(number: int, name: str | None) -> None:
    assert socket_type(GREETING[:10] + b"\x01" + bytes([number])) == name


@given(data=st.binary() | st.binary().map(lambda rest: GREETING + rest) | st.binary().map(SHORT.__add__))
def test_anything_else_is_no_type_and_no_fault(data: bytes) -> None:
    assert isinstance(socket_type(data), str | None)
    assert isinstance(mechanism(data), str)


@given(rest=st.binary(max_size=60))
def test_properties_that_lie_about_their_lengths_end(rest: bytes) -> None:
    body = b"\x05READY" + rest
    found = socket_type(GREETING + b"\x04" + bytes([len(body)]) + body)
    assert isinstance(found, str | None)
