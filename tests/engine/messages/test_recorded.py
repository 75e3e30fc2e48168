"""Every recorded message: good ones give what was sent, malformed ones the one documented error."""

from __future__ import annotations

import hashlib
import json
import tracemalloc
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from vectors import Vector, load

from repstream.errors import MalformedMessage
from repstream.messages import bsread, dectris_v1, formats
from repstream.messages.pilatus_1_0 import Pilatus
from repstream.messages.pixels import Pixels, array_of
from repstream.messages.raw_1_0 import Raw
from repstream.messages.series import SeriesEnd, SeriesStart

REASONS = {"json", "cbor", "htype", "field", "parts", "size", "compression", "hash", "channel"}

BSREAD, V1, V2 = load("bsread"), load("dectris_v1"), load("dectris_v2")
BAD = {
    name: vector
    for family in ("malformed_bsread", "malformed_dectris_v1", "malformed_dectris_v2")
    for name, vector in load(family).items()
}
CHOSEN = {
    # "The default" means one thing to the HDF5 filter and a division by zero to others.
    "bsread_bitshuffle_block_zero": "refuse",
    # Any byte but 0 is true, as in C and numpy.
    "bsread_bool_not_0_1": "deliver",
    # Which of the two a name stands for would be a guess.
    "bsread_channel_twice": "refuse",
    # With one or two parts nothing tells an appendix from a configuration.
    "dectris_v1_dheader_no_detail": "refuse",
    # It is the user's own, and kept as it came.
    "dectris_v1_dimage_appendix_not_json": "deliver",
    "dectris_v2_compression_nested": "refuse",
    "dectris_v2_deep_nesting": "refuse",
    "dectris_v2_duplicate_key": "refuse",
}
REASON_OF = {
    "bsread_bitshuffle_inner_size_huge": "compression",
    "bsread_bomb_shape": "size",
    "bsread_channel_twice": "field",
    "bsread_data_header_empty_unknown_hash": "hash",
    "bsread_data_header_not_json": "json",
    "bsread_fewer_parts_than_channels": "parts",
    "bsread_lz4_block_corrupt": "compression",
    "bsread_lz4_bomb_real": "compression",
    "bsread_only_main_header": "parts",
    "bsread_pulse_id_text": "field",
    "bsread_timestamp_15_bytes": "size",
    "bsread_value_short": "size",
    "dectris_v1_dheader_all_cut": "parts",
    "dectris_v1_dheader_flatfield_bomb": "size",
    "dectris_v1_dimage_bs_prefix_bomb": "compression",
    "dectris_v1_dimage_bs_wrong_width": "field",
    "dectris_v1_dimage_header_only": "parts",
    "dectris_v1_dimage_lz4_corrupt": "compression",
    "dectris_v1_dimage_size_wrong": "size",
    "dectris_v2_bomb_array_2_to_40": "cbor",
    "dectris_v2_compression_bomb": "compression",
    "dectris_v2_deep_nesting": "json",
    "dectris_v2_shape_bomb": "size",
    "dectris_v2_shared_reference_loop": "json",
    "dectris_v2_tag_unknown": "cbor",
    "dectris_v2_type_unknown": "htype",
}


def outcome(name: str) -> str:
    return CHOSEN.get(name, BAD[name].expected["outcome"])


def read_all(parts: list[bytes], memory: bsread.Memory | None = None) -> Any:
    """The message with all its pixels unpacked."""
    message = formats.decode_message(parts, memory)
    for pixels in pixels_in(message):
        pixels.array()
    return message


def pixels_in(message: Any) -> Iterator[Pixels]:
    if isinstance(message, SeriesStart):
        yield from message.tables.values()
    elif isinstance(message, dectris_v1.Image):
        yield message.pixels
    elif hasattr(message, "data") and isinstance(message.data, dict):
        yield from message.data.values()


@pytest.mark.parametrize("vector", BSREAD.values(), ids=BSREAD)
def test_bsread_messages_decode_to_what_was_sent(vector: Vector) -> None:
    memory = bsread.Memory()
    for number, parts in vector.messages.items():
        message, expected = formats.decode_message(parts, memory), vector.expected["messages"][number]
        assert isinstance(message, bsread.Message)
        assert (message.htype, message.pulse_id) == (expected["htype"], expected["pulse_id"])
        assert list(message.timestamp) == expected["global_timestamp"]
        assert list(message.header.index) == list(expected["channels"])
        assert message.header.matches
        for i, (name, channel) in enumerate(expected["channels"].items()):
            stamp = message.timestamps[i]
            assert (stamp and list(stamp)) == channel["timestamp"]
            check_value(message[name], message.header.channels[i], channel, vector)


def check_value(value: Any, channel: bsread.Channel, expected: dict[str, Any], vector: Vector) -> None:
    if not isinstance(expected["value"], dict):
        assert value == expected["value"]
        return
    assert channel.type == expected["dtype"]
    assert list(channel.shape or (1,)) == expected["shape"]
    reference = vector.arrays[expected["value"]["npz"]]
    if channel.shape:
        assert value.shape == reference.shape
        assert value.dtype.newbyteorder("=") == reference.dtype
    else:
        assert type(value) is type(reference.item())
    np.testing.assert_array_equal(value, reference.reshape(channel.shape))


@pytest.mark.parametrize("vector", V1.values(), ids=V1)
def test_dectris_v1_messages_decode_to_what_was_sent(vector: Vector) -> None:
    for number, parts in vector.messages.items():
        message, expected = formats.decode_message(parts), vector.expected["messages"][number]
        assert message.series == expected["header"]["series"]
        if isinstance(message, SeriesStart):
            assert message.configuration == expected.get("part_2", {})
            raw = [
                expected[key]["npz"] for key in ("part_4_raw", "part_6_raw", "part_8_raw") if key in expected
            ]
            for table, key in zip(message.tables.values(), raw, strict=True):
                np.testing.assert_array_equal(table.array(), vector.arrays[key])
        elif isinstance(message, dectris_v1.Image):
            assert message.frame == expected["header"]["frame"]
            for name in ("start_time", "stop_time", "real_time"):
                assert getattr(message, name) == expected["part_4"][name]
            assert message.intact()
            check_image(message.pixels, expected["image"], vector)
        else:
            assert isinstance(message, SeriesEnd)
            continue
        assert (message.appendix and json.loads(message.appendix)) == expected.get("appendix")


def check_image(pixels: Pixels, expected: dict[str, Any], vector: Vector) -> None:
    assert (list(pixels.shape), pixels.dtype) == (expected["shape"], expected["dtype"])
    image = pixels.array()
    if "npz" in expected:
        np.testing.assert_array_equal(image, vector.arrays[expected["npz"]])
    else:
        little = image.astype(image.dtype.newbyteorder("<")).tobytes()
        assert hashlib.sha256(little).hexdigest() == expected["sha256_of_c_order_little_endian_bytes"]


@pytest.mark.parametrize("vector", V2.values(), ids=V2)
def test_dectris_v2_messages_decode_to_what_was_sent(vector: Vector) -> None:
    for number, parts in vector.messages.items():
        message, expected = formats.decode_message(parts), dict(vector.expected["messages"][number])
        kind, series = expected.pop("type"), expected.pop("series_id")
        unique_id = expected.pop("series_unique_id")
        if kind == "image":
            assert (message.series_id, message.series_unique_id) == (series, unique_id)
            for threshold, image in expected.pop("data").items():
                check_image(message.data[threshold], image, vector)
            for name, value in expected.items():
                assert plain(getattr(message, name)) == value
        else:
            assert type(message) is (SeriesStart if kind == "start" else SeriesEnd)
            assert (message.series, message.unique_id) == (series, unique_id)
            if kind == "start":
                check_start(message, expected, vector)


def check_start(message: SeriesStart, expected: dict[str, Any], vector: Vector) -> None:
    for name, table in message.tables.items():
        group, _, threshold = name.partition("/")
        reference = expected[group].pop(threshold) if threshold else expected.pop(group)
        check_image(table, reference, vector)
    assert plain(message.configuration) == {k: v for k, v in expected.items() if v != {}}


def plain(value: Any) -> Any:
    """A value in the words of expected.json."""
    if isinstance(value, bytes):
        return {"bytes_hex": value.hex()}
    if hasattr(value, "isoformat"):
        return {"datetime": value.isoformat()}
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    return [plain(inner) for inner in value] if isinstance(value, list | tuple) else value


def test_a_chunk_decodes_with_its_dimensions_turned() -> None:
    vector = load("chunk-1.0")["plain"]
    frame = formats.decode(vector.first)
    assert (frame.frame_id, frame.shape, frame.dtype) == (1, (4, 6), "uint16")
    np.testing.assert_array_equal(array_of(frame), vector.arrays["data0"])


def test_raw_messages_keep_header_and_parts() -> None:
    for name, vector in load("raw-1.0").items():
        for number, parts in vector.messages.items():
            message, expected = formats.decode_message(parts), vector.expected["messages"][number]
            assert isinstance(message, Raw)
            assert message.header == expected["header"]
            assert list(message.data) == parts[1:], name
            assert len(message.data) == len(expected["data"])


def test_a_pilatus_file_is_kept_as_it_is() -> None:
    vector = load("pilatus-1.0")["one"]
    message, expected = formats.decode_message(vector.first), vector.expected["messages"][0]
    assert isinstance(message, Pilatus)
    assert (message.filename, message.path) == (expected["header"]["filename"], expected["header"]["path"])
    assert hashlib.sha256(message.data).hexdigest() == expected["data"]["sha256"]


@pytest.mark.parametrize("name", [name for name in BAD if outcome(name) == "refuse"])
def test_malformed_messages_are_refused_without_large_memory(name: str) -> None:
    parts = BAD[name].first
    tracemalloc.start()
    try:
        with pytest.raises(MalformedMessage) as caught:
            read_all(parts)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert caught.value.reason in REASONS
    assert caught.value.reason == REASON_OF.get(name, caught.value.reason)
    assert peak < 4_000_000 + 300 * sum(map(len, parts))


@pytest.mark.parametrize("name", [name for name in BAD if outcome(name) == "deliver"])
def test_odd_but_good_messages_are_delivered(name: str) -> None:
    message = read_all(BAD[name].first)
    if name == "bsread_hash_wrong":
        assert not message.header.matches
    elif name == "dectris_v1_dimage_hash_wrong":
        assert not message.intact()


@pytest.mark.parametrize("name", [name for name in BAD if outcome(name) == "refuse"])
def test_frame_decoders_refuse_the_same(name: str) -> None:
    if name == "dectris_v2_type_unknown":
        assert isinstance(formats.FrameDecoder().decode(BAD[name].first), formats.NoImage)
        return
    with pytest.raises(MalformedMessage) as caught:
        formats.FrameDecoder().decode(BAD[name].first)
    assert caught.value.reason in REASONS


def test_the_tables_name_vectors_that_exist() -> None:
    either = {name for name, vector in BAD.items() if vector.expected["outcome"] == "either"}
    assert set(CHOSEN) == either
    assert {name for name in REASON_OF if outcome(name) == "refuse"} == set(REASON_OF)
