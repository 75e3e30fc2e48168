"""Images in another format: the same pixels, numbers and times, whatever they came in."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from repstream.errors import MalformedMessage
from repstream.messages import array_1_0, bsread, dectris_v1, formats, std_daq_frame
from repstream.messages.conversion import ALL, Array, Bsread, Format, new_memory
from repstream.messages.frame import Frame
from repstream.messages.pixels import array_of, packed
from repstream.messages.std_daq_metadata import ImageMetadata, Pco

TYPES = st.sampled_from(["uint8", "uint16", "uint32", "uint64", "int8", "int64", "float32", "float64"])
NUMBERS = st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
NAMES = st.text("abcxyz_", min_size=1, max_size=8)


def converted(format: Format, frame: Frame) -> Frame:
    """What a receiver finds in the message that a format makes."""
    payload = format.payload(frame)
    parts = format.parts(frame, format.packed(frame, new_memory) if payload is None else payload)
    return formats.decode([bytes(part) for part in parts])


@st.composite
def frames(draw: st.DrawFn) -> tuple[Frame, np.ndarray[Any, Any], dict[str, Any]]:
    """A frame of any format, its image and its numbers."""
    shape = draw(st.tuples(st.integers(1, 9), st.integers(1, 33)))
    dtype = np.dtype(draw(TYPES)).newbyteorder(draw(st.sampled_from("<>")))
    image = np.frombuffer(draw(st.binary(min_size=1, max_size=64)) * 2400, np.uint8)
    image = image[: shape[0] * shape[1] * dtype.itemsize].view(dtype).reshape(shape)
    frame_id = draw(st.integers(0, 2**63 - 1))
    numbers = draw(st.dictionaries(NAMES, NUMBERS, max_size=5))
    packing: Any = draw(st.sampled_from(["", "lz4", "bitshuffle_lz4"]))
    if draw(st.booleans()):
        parts = array_1_0.encode(frame_id, image, image_attributes=numbers)
    elif draw(st.booleans()):
        channels = [bsread.describe("camera", image, packing or "none")]
        channels += [bsread.describe(name, value) for name, value in numbers.items()]
        parts = bsread.encode(frame_id, channels, [image, *numbers.values()], timestamp=(17, 5))
    else:
        parts, numbers = dectris_v1.encode_image(3, frame_id, packed(image, packing)), {"series": 3}
    frame = formats.decode([bytes(part) for part in parts])
    frame.arrived = 1_700_000_000.25
    return frame, array_of(frame), numbers


@settings(max_examples=200)
@given(frames(), st.sampled_from(["none", "lz4", "bitshuffle_lz4"]))
def test_bsread_has_the_same_pixels_numbers_and_time(
    given: tuple[Frame, np.ndarray[Any, Any], dict[str, Any]], packing: Any
) -> None:
    frame, image, numbers = given
    found = converted(Bsread("image", packing), frame)
    assert found.frame_id == frame.frame_id
    assert (found.dtype, found.shape) == (frame.dtype, frame.shape)
    np.testing.assert_array_equal(array_of(found), image)
    told = dict(formats.attributes(found))
    time = told.pop("global_timestamp_sec"), told.pop("global_timestamp_ns")
    assert time == ((17, 5) if frame.format == bsread.HTYPE else (1_700_000_000, 250_000_000))
    assert {name: told[name] for name in numbers} == numbers


@settings(max_examples=200)
@given(frames())
def test_array_has_the_same_pixels_and_numbers(
    given: tuple[Frame, np.ndarray[Any, Any], dict[str, Any]],
) -> None:
    frame, image, numbers = given
    found = converted(Array(), frame)
    assert (found.format, found.frame_id, found.shape) == (array_1_0.HTYPE, frame.frame_id, frame.shape)
    np.testing.assert_array_equal(array_of(found), image)
    told = formats.attributes(found)
    assert {name: told[name] for name in numbers} == numbers


def frame(**numbers: Any) -> Frame:
    image = np.arange(20, dtype=np.uint16).reshape(4, 5)
    return formats.decode([bytes(p) for p in array_1_0.encode(7, image, image_attributes=numbers)])


def test_pixels_that_are_as_they_go_out_are_not_copied() -> None:
    given = frame()
    assert Bsread().parts(given, Bsread().payload(given))[2] is given.payloads[0]
    image = np.arange(4000, dtype=np.uint16).reshape(40, 100)
    detector = formats.decode(dectris_v1.encode_image(1, 2, packed(image, "bitshuffle_lz4")))
    assert Bsread(compression="bitshuffle_lz4").payload(detector) is detector.payloads[0]
    assert Bsread().payload(detector) is None
    assert Array().payload(detector) is None


@pytest.mark.parametrize("compression", ["none", "h5bitshuffle_lz4"])
def test_without_a_channel_an_image_has_the_name_that_it_comes_with(compression: Any) -> None:
    image = packed(np.arange(4000, dtype=np.uint16).reshape(40, 100), "bitshuffle_lz4")
    for detector, name in (
        (Pco(17, 5, "SARES11-CAMS"), "SARES11-CAMS"),
        (Pco(17, 5), "image"),
        (None, "image"),
    ):
        data = image.data if compression != "none" else bytes(8000)
        metadata = ImageMetadata(3, 40, 100, len(data), "uint16", compression=compression, detector=detector)
        given = formats.decode([bytes(part) for part in std_daq_frame.message_of(metadata, data)])
        given.arrived = 1.0
        wanted: Any = "none" if compression == "none" else "bitshuffle_lz4"
        parts = [bytes(part) for part in Bsread("", wanted).parts(given, given.payloads[0])]
        found = bsread.decode(parts)
        assert found.header.channels[0].name == name
        assert found.timestamp == ((17, 5) if detector else (1, 0))
        assert formats.decode(parts).payloads[0] == given.payloads[0]
        assert bsread.decode(Bsread("own", wanted).parts(given, given.payloads[0])).header.index["own"] == 0


@pytest.mark.parametrize("value", [3, None, ["x"], {"a": 1}])
def test_a_name_that_is_no_text_is_none(value: Any) -> None:
    image = np.arange(20, dtype=np.uint16).reshape(4, 5)
    given = formats.decode(array_1_0.encode(7, image, image_attributes={"bsread_name": value}))
    message = bsread.decode(Bsread("").parts(given, given.payloads[0]))
    assert message.header.channels[0].name == "image"


def test_the_pulse_is_that_of_an_attribute() -> None:
    assert converted(Bsread(pulse_id="pulse"), frame(pulse=12345678901)).frame_id == 12345678901
    for wrong in ({}, {"pulse": -1}, {"pulse": 1.5}, {"pulse": "1"}):
        with pytest.raises(MalformedMessage, match="pulse_id"):
            converted(Bsread(pulse_id="pulse"), frame(**wrong))


def test_declared_channels_keep_their_type_and_stay_empty_without_a_value() -> None:
    format = Bsread(channels=(("pos", "float64"), ("n", "int64")))
    headers = set()
    for numbers in ({"pos": 1, "n": 2.0, "other": 5}, {"pos": 1.5, "n": 2}, {"n": 1.5}):
        given = frame(**numbers)
        parts = format.parts(given, given.payloads[0])
        headers.add(parts[1])
        message = bsread.decode([bytes(part) for part in parts])
        wanted = numbers.get("pos"), (2 if numbers["n"] == 2 else None)
        assert (message["pos"], message["n"]) == wanted
    assert len(headers) == 1


def test_what_the_format_cannot_carry_is_refused() -> None:
    image = np.zeros((2, 3), np.float16)
    half = formats.decode([bytes(p) for p in array_1_0.encode(1, image)])
    with pytest.raises(MalformedMessage, match="float16"):
        Bsread().payload(half)
    two = formats.decode([bytes(p) for p in array_1_0.encode(1, image, image)])
    for format in (Array(), Bsread()):
        with pytest.raises(MalformedMessage, match="2 images"):
            format.payload(two)


def test_all_numbers_are_channels_but_those_that_stand_elsewhere() -> None:
    given = frame(image=3, global_timestamp_sec=5, global_timestamp_ns=6, scan=9)
    message = bsread.decode([bytes(part) for part in Bsread(channels=ALL).parts(given, given.payloads[0])])
    assert [channel.name for channel in message.header.channels] == ["image", "scan"]
    assert message.timestamp == (5, 6)
