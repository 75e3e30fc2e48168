"""Channels as messages whose header follows what is sent."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from repstream.messages import bsread
from repstream.pipelines.messages import Encoder, Made


def sent(encoder, **channels):
    """What a receiver sees: values by channel."""
    message = bsread.decode(encoder.frame(Made(7, (1, 2), channels)).parts)
    assert message.pulse_id == 7 and message.timestamp == (1, 2)
    return dict(zip((c.name for c in message.header.channels), message.values, strict=True))


def test_a_value_that_is_not_there_is_left_out_until_its_type_is_known():
    encoder = Encoder()
    assert sent(encoder, a=None, b=1) == {"b": 1}
    assert sent(encoder, a=2.5, b=1) == {"a": 2.5, "b": 1}
    assert sent(encoder, a=None, b=1) == {"a": None, "b": 1}
    assert encoder.changes == 1


def test_the_header_changes_only_with_names_types_and_shapes():
    encoder = Encoder()
    image = np.zeros((3, 4), np.uint16)
    headers = {bytes(encoder.frame(Made(n, (1, n), {"image": image + n, "n": n})).parts[1]) for n in range(5)}
    assert len(headers) == 1 and encoder.changes == 0
    for channels in ({"image": image[:2], "n": 1}, {"image": image[:2], "n": 1.5}, {"n": 1.5}):
        before = encoder.changes
        sent(encoder, **channels)
        assert encoder.changes == before + 1


def test_a_change_that_is_not_allowed_is_sent_empty():
    types = Encoder(allow_type_changes=False)
    sent(types, a=1)
    assert sent(types, a=1.5) == {"a": None}
    assert sent(types, a=2) == {"a": 2}
    shapes = Encoder(allow_shape_changes=False)
    sent(shapes, a=np.arange(3))
    assert sent(shapes, a=np.arange(4)) == {"a": None}


def test_a_header_made_once_keeps_its_channels():
    encoder = Encoder(headers="once")
    sent(encoder, a=1, b=2)
    assert sent(encoder, b="text", c=3, a=4) == {"a": 4, "b": None}
    assert encoder.changes == 0


@pytest.mark.parametrize("packing", ["none", "lz4", "bitshuffle_lz4"])
def test_what_is_packed_arrives_as_it_was(packing):
    image = np.arange(120, dtype=np.uint16).reshape(10, 12)
    encoder = Encoder(image_packing=packing, packing=packing, header_packing=packing)
    found = sent(encoder, image=image, profile=image.sum(0), text="grün", number=5)
    assert np.array_equal(found.pop("image"), image)
    assert np.array_equal(found.pop("profile"), image.sum(0))
    assert found == {"text": "grün", "number": 5}


def test_what_bsread_does_not_know_is_refused():
    for value in (1j, object(), np.zeros(0)):
        with pytest.raises(ValueError):
            Encoder().frame(Made(1, (0, 0), {"a": value}))


VALUES = st.none() | st.integers(-5, 5) | st.floats(allow_nan=False) | st.text(min_size=1) | st.booleans()


@given(st.lists(st.dictionaries(st.sampled_from("abcd"), VALUES), max_size=8))
def test_whatever_comes_arrives(messages):
    encoder = Encoder()
    known = set()
    for channels in messages:
        known |= {name for name, value in channels.items() if value is not None}
        assert sent(encoder, **channels) == {n: v for n, v in channels.items() if n in known}
