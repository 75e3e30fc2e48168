"""What a publisher sends to several receivers: each message is one receiver's, whatever it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repstream.dataplane.control import Turn
from repstream.dataplane.turns import OwnTurn
from repstream.errors import MalformedMessage
from repstream.messages import array_1_0
from repstream.messages.formats import FrameDecoder
from repstream.messages.frame import NoImage


def frame(frame_id: int) -> list[bytes]:
    return [array_1_0.gigafrost_header(frame_id, (1, 1), "uint16"), b"\0\0"]


@given(st.integers(1, 5), st.sampled_from([1, 10]), st.integers(0, 2**63))
def test_each_frame_is_taken_once_and_those_that_follow_in_turn(
    receivers: int, step: int, first: int
) -> None:
    decoders = [OwnTurn(Turn(k, receivers), step, FrameDecoder().decode) for k in range(receivers)]
    begin = first // step % receivers
    for number in range(2 * receivers):
        takers = [k for k, decode in enumerate(decoders) if decode(frame(first + number * step)) is not None]
        assert takers == [(begin + number) % receivers]


def test_what_is_no_frame_is_the_first_receivers() -> None:
    def decode(parts: Sequence[Any]) -> NoImage:
        if not parts:
            raise MalformedMessage("parts", "none")
        return NoImage("no image", parts)

    first, second = (OwnTurn(Turn(k, 2), 1, decode) for k in range(2))
    assert first([b""]) is not None
    assert second([b""]) is None
    assert second([]) is None
    with pytest.raises(MalformedMessage):
        first([])
