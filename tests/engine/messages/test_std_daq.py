"""The standard DAQ's protobuf messages: recorded ones, round trips, damage, an encoder by hand."""

from __future__ import annotations

import math
from typing import Any, get_args

import msgspec
import pytest
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st
from vectors import Vector, load

from repstream.errors import MalformedMessage
from repstream.messages import formats
from repstream.messages import std_daq_metadata as metadata
from repstream.messages import std_daq_schema as schema
from repstream.messages import std_daq_writer as writer
from repstream.messages.frame import PIXEL_TYPES
from repstream.messages.pixels import ITEM_SIZE
from repstream.messages.std_daq_metadata import Eiger, GigaFrost, ImageMetadata, Jungfrau, Pco

REASONS = {"parts", "protobuf", "field", "size"}

CODECS: dict[str, tuple[Any, Any]] = {
    "ImageMetadata": (metadata.decode, metadata.encode),
    "WriterAction": (writer.decode_action, writer.encode_action),
    "WriterResponse": (writer.decode_response, writer.encode_response),
}
ALL = load("std_daq_protobuf")
# Zero bytes are a valid message of an image without pixels, refused here.
GOOD = {name: vector for name, vector in ALL.items() if name != "image_zero"}
BAD = load("malformed_std_daq_protobuf")
REASON_OF = {
    "std_daq_protobuf_dtype_unknown": "field",
    "std_daq_protobuf_json_instead": "protobuf",
    "std_daq_protobuf_size_beyond_slot": "size",
    "std_daq_protobuf_size_disagrees": "size",
    "std_daq_protobuf_size_zero": "size",
    "std_daq_protobuf_submessage_length_bomb": "protobuf",
    "std_daq_protobuf_truncated_varint": "protobuf",
    "std_daq_protobuf_varint_eleven_bytes": "protobuf",
    "std_daq_protobuf_wrong_wire_type": "size",
}

U32, U64 = st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1)
DETECTORS = (
    st.builds(GigaFrost, U32, U32, U32, U64, U64, st.booleans())
    | st.builds(Jungfrau, U64)
    | st.builds(Eiger, U64)
    | st.builds(Pco, U64, U64, st.text(max_size=20))
    | st.none()
)


@st.composite
def images(draw: st.DrawFn) -> ImageMetadata:
    height, width = draw(st.integers(1, 2**31 - 1)), draw(st.integers(1, 2**28))
    dtype, compression = (
        draw(st.sampled_from(PIXEL_TYPES)),
        draw(st.sampled_from(get_args(metadata.Compression))),
    )
    nbytes = height * width * ITEM_SIZE[dtype]
    status = draw(st.sampled_from(get_args(metadata.Status)))
    exact = compression == "none" and status != "missing_packets"
    size = nbytes if exact else draw(st.integers(1, nbytes))
    return ImageMetadata(draw(U64), height, width, size, dtype, status, compression, draw(DETECTORS))


ACTIONS = (
    st.builds(writer.CreateFile, st.text(max_size=20), st.integers(-(2**31), 2**31 - 1))
    | st.builds(writer.RecordImage, images())
    | st.just(writer.CloseFile())
    | st.just(writer.ConfirmLastImage())
)
RESPONSES = st.builds(writer.WriterResponse, st.sampled_from(get_args(writer.Code)), st.text(max_size=20))


def in_words_of_json(value: Any) -> Any:
    """A decoded message as `expected.json` has it: 64-bit integers are text there."""
    if isinstance(value, ImageMetadata):
        fields = msgspec.structs.asdict(value)
        detector = fields.pop("detector")
        name = {kind: name for name, kind in metadata.DETECTORS.items()}.get(type(detector))
        inner = {name: in_words_of_json(detector)} if name else {}
        return {k: str(v) if isinstance(v, int) else v for k, v in fields.items()} | inner
    if isinstance(value, writer.RecordImage):
        return {"record_image": {"image_metadata": in_words_of_json(value.image_metadata)}}
    if isinstance(value, writer.CreateFile | writer.CloseFile | writer.ConfirmLastImage):
        name = {"CreateFile": "create_file", "CloseFile": "close_file"}.get(type(value).__name__)
        return {name or "confirm_last_image": msgspec.structs.asdict(value)}
    narrow = {"scan_id", "scan_time", "sync_time", "store_image"}
    fields = msgspec.structs.asdict(value)
    return {k: str(v) if isinstance(v, int) and k not in narrow else v for k, v in fields.items()}


def codec_of(vector: Vector) -> tuple[Any, Any]:
    return CODECS[vector.expected["messages"][0]["message"]]


@pytest.mark.parametrize("vector", GOOD.values(), ids=GOOD)
def test_recorded_messages_decode_to_what_was_sent(vector: Vector) -> None:
    decode, _ = codec_of(vector)
    assert in_words_of_json(decode(vector.first)) == vector.expected["messages"][0]["fields"]


@pytest.mark.parametrize("vector", GOOD.values(), ids=GOOD)
def test_recorded_messages_are_encoded_to_the_same_bytes(vector: Vector) -> None:
    decode, encode = codec_of(vector)
    assert encode(decode(vector.first)) == vector.first


@pytest.mark.parametrize("vector", ALL.values(), ids=ALL)
def test_the_schema_reads_every_field_of_recorded_messages(vector: Vector) -> None:
    expected = vector.expected["messages"][0]
    wire = getattr(schema, expected["message"]).FromString(vector.first[0])
    fields = json_format.MessageToDict(
        wire, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    assert fields == expected["fields"]


def test_an_empty_message_is_refused_for_its_size_not_as_damaged() -> None:
    with pytest.raises(MalformedMessage) as caught:
        metadata.decode(ALL["image_zero"].first)
    assert caught.value.reason == "size"


@pytest.mark.parametrize("name", REASON_OF)
def test_malformed_messages_are_refused(name: str) -> None:
    with pytest.raises(MalformedMessage) as caught:
        metadata.decode(BAD[name].first)
    assert caught.value.reason == REASON_OF[name]


def test_an_image_with_missing_packets_is_delivered() -> None:
    image = metadata.decode(BAD["std_daq_protobuf_status_missing_packets"].first)
    assert image == ImageMetadata(5, 10, 10, 100, "uint8", "missing_packets")


def test_the_tables_name_every_vector() -> None:
    assert len(ALL) == 15
    assert {name for name, vector in BAD.items() if vector.expected["outcome"] == "refuse"} == set(REASON_OF)
    assert BAD.keys() - REASON_OF.keys() == {"std_daq_protobuf_status_missing_packets"}


@given(image=images())
def test_image_metadata_survive_a_round_trip(image: ImageMetadata) -> None:
    assert metadata.decode(metadata.encode(image)) == image


@given(action=ACTIONS, response=RESPONSES)
def test_writer_messages_survive_a_round_trip(action: writer.Action, response: writer.WriterResponse) -> None:
    assert writer.decode_action(writer.encode_action(action)) == action
    assert writer.decode_response(writer.encode_response(response)) == response


def varint(number: int) -> bytes:
    low, rest = number & 0x7F, number >> 7
    return bytes([low | 0x80]) + varint(rest) if rest else bytes([low])


def by_hand(*fields: int | str) -> bytes:
    """Fields numbered from 1 as proto3 has them on the wire: what is zero or empty is left out."""
    coded = b""
    for number, value in enumerate(fields, 1):
        if isinstance(value, str) and value:
            coded += varint(number << 3 | 2) + varint(len(value.encode())) + value.encode()
        elif value:
            coded += varint(number << 3) + varint(int(value))
    return coded


@given(image=images())
def test_the_bytes_are_those_of_an_encoder_written_by_hand(image: ImageMetadata) -> None:
    dtypes = dict(zip(("uint8", "uint16", "uint32", "uint64"), (1, 2, 4, 8), strict=True))
    dtypes |= dict(zip(("int8", "int16", "int32", "int64"), (11, 12, 14, 18), strict=True))
    dtypes |= dict(zip(("float16", "float32", "float64"), (22, 24, 28), strict=True))
    status = ("undefined", "good_image", "missing_packets", "id_missmatch").index(image.status)
    compression = ("none", "h5bitshuffle_lz4", "blosc2").index(image.compression)
    plain = (image.image_id, image.height, image.width, image.size, dtypes[image.dtype], status, compression)
    expected = by_hand(*plain)
    if image.detector is not None:
        inner = by_hand(*msgspec.structs.astuple(image.detector))
        number = {GigaFrost: 8, Jungfrau: 9, Eiger: 10, Pco: 11}[type(image.detector)]
        expected += varint(number << 3 | 2) + varint(len(inner)) + inner
    assert metadata.encode(image) == [expected]


def outcome(parts: list[bytes]) -> set[str]:
    """Why it was refused, by each of the decoders that did."""
    reasons = set()
    for decode, _ in CODECS.values():
        try:
            decode(parts)
        except MalformedMessage as error:
            assert error.reason in REASONS
            assert len(error.detail) < 500
            reasons.add(error.reason)
    return reasons


@pytest.mark.parametrize("vector", ALL.values(), ids=ALL)
def test_every_truncation_and_bit_flip_decodes_or_is_refused(vector: Vector) -> None:
    message = vector.first[0]
    for size in range(len(message)):
        outcome([message[:size]])
    for bit in range(8 * len(message)):
        flipped = bytearray(message)
        flipped[bit // 8] ^= 1 << bit % 8
        outcome([bytes(flipped)])


@given(
    start=st.sampled_from([vector.first[0] for vector in ALL.values()]),
    end=st.binary(max_size=60)
    | st.sampled_from([b"\x0b" * 5000, b"\x42\xff\xff\xff\xff\x07", b"\x52\0" * 999]),
)
def test_anything_after_a_message_decodes_or_is_refused(start: bytes, end: bytes) -> None:
    outcome([start + end])


@given(parts=st.lists(st.binary(max_size=100), max_size=3))
def test_random_parts_decode_or_are_refused(parts: list[bytes]) -> None:
    assert outcome(parts) == {"parts"} if len(parts) != 1 else outcome(parts) <= REASONS


def test_fields_of_a_newer_producer_are_skipped() -> None:
    image = ImageMetadata(5, 4, 6, 24, "uint8")
    assert metadata.decode([metadata.encode(image)[0] + varint(99 << 3) + b"\x01"]) == image


def test_the_detector_given_last_counts() -> None:
    first, last = (
        metadata.encode(ImageMetadata(5, 4, 6, 24, "uint8", detector=one))[0]
        for one in (Eiger(1), Jungfrau(2))
    )
    assert metadata.decode([first + last]).detector == Jungfrau(2)


@pytest.mark.parametrize("part", [bytearray, memoryview], ids=lambda kind: kind.__name__)
def test_a_part_may_be_any_buffer(part: Any) -> None:
    assert metadata.decode([part(ALL["jungfrau"].first[0])]).detector == Jungfrau(3)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ((5, 10, 10, 100, 0, 1, 0), "field"),
        ((5, 10, 10, 100, 3, 1, 0), "field"),
        ((5, 10, 10, 100, 1, 4, 0), "field"),
        ((5, 10, 10, 100, 1, 1, 3), "field"),
        ((5, 0, 10, 0, 1, 1, 0), "size"),
        ((5, 10, 10, 99, 1, 1, 0), "size"),
        ((5, 10, 10, 99, 1, 3, 0), "size"),
        ((5, 10, 10, 0, 1, 2, 0), "size"),
        ((5, 10, 10, 101, 1, 2, 0), "size"),
        ((5, 10, 10, 0, 1, 1, 1), "size"),
        ((5, 10, 10, 101, 1, 1, 1), "size"),
        ((5, 2**32, 2**32, 1, 1, 1, 2), "size"),
        ((5, 2**63, 2, 0, 1, 1, 0), "size"),
    ],
    ids=str,
)
def test_what_cannot_be_is_refused(fields: tuple[int, ...], reason: str) -> None:
    with pytest.raises(MalformedMessage) as caught:
        metadata.decode([by_hand(*fields)])
    assert caught.value.reason == reason


def test_a_text_that_is_not_utf8_is_refused() -> None:
    with pytest.raises(MalformedMessage) as caught:
        metadata.decode([by_hand(5, 10, 10, 100, 1, 1) + b"\x5a\x03\x1a\x01\xff"])
    assert caught.value.reason == "protobuf"


def test_a_writer_message_without_meaning_is_refused() -> None:
    for decode, part in ((writer.decode_action, b""), (writer.decode_response, by_hand(3))):
        with pytest.raises(MalformedMessage) as caught:
            decode([part])
        assert caught.value.reason == "field"


@pytest.mark.parametrize(
    "changed",
    [
        {"image_id": -1},
        {"image_id": 2**64},
        {"size": 99},
        {"height": 0, "size": 0},
        {"dtype": "bool"},
        {"dtype": "unknown"},
        {"status": "fine"},
        {"compression": "zip"},
        {"compression": "blosc2", "size": 101},
        {"detector": GigaFrost(scan_id=2**32)},
        {"detector": Pco(bsread_name="\ud800")},
    ],
    ids=str,
)
def test_metadata_that_cannot_be_are_not_encoded(changed: dict[str, Any]) -> None:
    image = msgspec.structs.replace(ImageMetadata(5, 10, 10, 100, "uint8"), **changed)
    with pytest.raises(ValueError):
        metadata.encode(image)


def test_the_largest_image_has_the_size_of_the_largest_buffer() -> None:
    height = math.isqrt(metadata.MAX_BYTES)
    image = ImageMetadata(0, height, height, height * height, "uint8")
    assert metadata.decode(metadata.encode(image)) == image


@pytest.mark.parametrize("name", ["gigafrost", "jungfrau", "image_uint16"])
def test_they_are_no_input(name: str) -> None:
    with pytest.raises(MalformedMessage):
        formats.decode_message(ALL[name].first)
