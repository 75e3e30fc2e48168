"""What is wrong beside an image never costs the image: what can be kept is kept, the rest noted once."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import cbor2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from repstream.errors import MalformedMessage
from repstream.messages import array_1_0, bsread, dectris_v1, dectris_v2, formats
from repstream.messages.array_attributes import AttributeReader, read_fields
from repstream.messages.frame import Frame, image_shape
from repstream.messages.pixels import array_of, packed

IMAGE = np.arange(20, dtype="uint16").reshape(4, 5)


def decoded(parts: Sequence[Any], **options: Any) -> tuple[Frame, list[str]]:
    """The frame in a message that is decoded twice, and what was noted."""
    notes: list[str] = []
    decoder = formats.FrameDecoder(note=notes.append, **options)
    decoder.decode(parts)
    frame = decoder.decode(parts)
    assert isinstance(frame, Frame)
    np.testing.assert_array_equal(array_of(frame), IMAGE)
    return frame, notes


def v1(times: Any = None, shape: Sequence[int] | None = None) -> list[Any]:
    parts = dectris_v1.encode_image(7, 3, packed(IMAGE), start_time=5, stop_time=6, real_time=1)
    if times is not None:
        parts[3] = (
            times if isinstance(times, bytes) else json.dumps({"htype": "dconfig-1.0", **times}).encode()
        )
    if shape is not None:
        parts[1] = json.dumps(json.loads(parts[1]) | {"shape": shape}).encode()
    return parts


def v2(**fields: Any) -> list[bytes]:
    data = cbor2.CBORTag(40, [[4, 5], cbor2.CBORTag(69, IMAGE.tobytes())])
    image = {"type": "image", "image_id": 3, "series_id": 7, "data": {"threshold_1": data}}
    return [cbor2.dumps(image | fields)]


@pytest.mark.parametrize(
    ("times", "start_time", "noted"),
    [
        ({"start_time": 1.0}, 1, 0),
        ({"start_time": "soon"}, 0, 1),
        ({"start_time": None}, 0, 1),
        ({"start_time": math.nan}, 0, 1),
        ({"start_time": 2**70}, 0, 1),
        ({"start_time": 4, "x": math.inf}, 4, 0),
        ({}, 0, 0),
        (b"no JSON", 0, 1),
        (b"[]", 0, 1),
    ],
)
def test_times_of_stream_v1(times: Any, start_time: int, noted: int) -> None:
    frame, notes = decoded(v1(times))
    assert (formats.attributes(frame)["start_time"], len(notes)) == (start_time, noted)


@pytest.mark.parametrize("time", [0.01, [0, 0], [1, 2, 3], "now", [2**70, 1], None, [1, 10**9]])
def test_times_of_stream_v2(time: Any) -> None:
    frame, notes = decoded(v2(real_time=time))
    found = formats.attributes(frame)
    assert found == ({"series": 7, "real_time": 1} if time == [1, 10**9] else {"series": 7})
    assert len(notes) == (time not in (None, [1, 10**9], [2**70, 1]))


TAGGED = [0, 1, 2, 4, 5, 25, 28, 29, 30, 35, 36, 37, 40, 64, 69, 76, 256, 258, 260, 1004, 43000, 56500, 99999]


@pytest.mark.parametrize("tag", TAGGED)
@pytest.mark.parametrize("value", ["x", 3, b"abc", [1, 2], None], ids=repr)
def test_any_tag_beside_the_image_of_stream_v2(tag: int, value: Any) -> None:
    odd = cbor2.CBORTag(tag, value)
    frame, notes = decoded(v2(user_data={"odd": odd, "good": 1}, series_date=odd))
    assert frame.frame_id == 3
    assert len(notes) <= 2
    message = formats.decode_message(frame.parts)
    assert isinstance(message, dectris_v2.Image)
    assert message.user_data["good"] == 1


def test_what_is_wrong_with_the_image_itself_is_still_a_fault() -> None:
    for data in ({}, {"a": cbor2.CBORTag(76, b"")}, {"a": 1}, cbor2.CBORTag(35, "x")):
        with pytest.raises(MalformedMessage):
            formats.FrameDecoder().decode(v2(data=data))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 10**400, "\ud800"], ids=repr)
def test_numbers_and_texts_that_only_python_writes_in_a_header(value: Any) -> None:
    parts = array_1_0.encode(3, IMAGE)
    header = json.dumps({**json.loads(parts[0]), "odd": value, "bad": math.nan, "good": 2.5}).encode()
    frame, _ = decoded([header, parts[1]])
    found = formats.attributes(frame)
    assert found["good"] == 2.5
    assert math.isnan(found["bad"])
    assert AttributeReader(["good"])(header) is None
    numbers = read_fields(header).numbers
    assert numbers["good"] == 2.5
    assert math.isnan(numbers["bad"])
    if isinstance(value, float) and math.isinf(value):
        assert numbers["odd"] == value
    rewritten = array_1_0.std_det_writer_header(
        header, 41, output_file="a", run_id=1, n_images=1, detector_name="d", user_id=0
    )
    assert json.loads(rewritten)["good"] == 2.5
    assert formats.decode([rewritten, parts[1]]).frame_id == 41


@pytest.mark.parametrize("field", ["frame", "shape", "type"])
@pytest.mark.parametrize("value", [math.nan, math.inf], ids=repr)
def test_a_number_that_routing_needs_must_be_one(field: str, value: float) -> None:
    parts = array_1_0.encode(3, IMAGE)
    with pytest.raises(MalformedMessage, match="field"):
        formats.decode([json.dumps({**json.loads(parts[0]), field: value}).encode(), parts[1]])


def test_a_configuration_with_nan() -> None:
    parts = [*dectris_v1.encode_start(7), b'{"threshold": NaN, "wavelength": -Infinity, "n": 5}']
    parts[0] = json.dumps({"htype": "dheader-1.0", "series": 7, "header_detail": "basic"}).encode()
    start = dectris_v1.decode_start(parts)
    assert start.configuration["n"] == 5
    assert math.isnan(start.configuration["threshold"])


@given(
    shape=st.lists(st.sampled_from([1, 1, 2, 3]), min_size=2, max_size=6).map(tuple),
)
def test_sizes_of_one_are_no_dimensions_of_an_image(shape: tuple[int, ...]) -> None:
    found = image_shape(shape)
    assert math.prod(found) == math.prod(shape)
    larger = [size for size in shape if size > 1]
    assert [size for size in found if size > 1] == larger
    assert found == shape if len(larger) > 2 else len(found) == 2


def test_images_with_a_third_dimension_of_one_are_images() -> None:
    for shape in ((1, 4, 5), (4, 5, 1), (1, 1, 4, 5)):
        for frame in (
            formats.decode(array_1_0.encode(1, IMAGE.reshape(shape))),
            formats.decode(
                bsread.encode(1, [bsread.describe("x", IMAGE.reshape(shape))], [IMAGE.reshape(shape)])
            ),
        ):
            assert frame.shape == (4, 5)
    assert decoded(v1(shape=[5, 4, 1]))[0].shape == (4, 5)
    with pytest.raises(MalformedMessage, match="field"):
        formats.decode(v1(shape=[1, 4, 5]))


def test_the_hash_of_the_wire_is_checked_on_request() -> None:
    image, pulse = v1(), bsread.encode(1, [bsread.describe("x", IMAGE)], [IMAGE])
    for good in (image, pulse):
        decoded(good, verify_hash=True)
    spoilt = [bytes(part) for part in image]
    spoilt[2] = b"x" + spoilt[2][1:]
    other = [pulse[0].replace(json.loads(pulse[0])["hash"].encode(), b"f" * 32), *pulse[1:]]
    for bad in (spoilt, other):
        assert isinstance(formats.FrameDecoder().decode(bad), Frame)
        with pytest.raises(MalformedMessage, match="hash"):
            formats.FrameDecoder(verify_hash=True).decode(bad)
    unsigned = v1()
    unsigned[0] = json.dumps({"htype": "dimage-1.0", "series": 7, "frame": 3}).encode()
    decoded(unsigned, verify_hash=True)


def test_cbor_of_another_type_is_no_image() -> None:
    parts = [cbor2.dumps({"type": "status", "x": 1})]
    assert formats.FrameDecoder().decode(parts) == formats.NoImage("CBOR of another type", parts)
