"""Both DECTRIS streams: round trips, frames, tables; psi-mflow and HDF5's filter as peers."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import cbor2
import h5py
import hdf5plugin
import mflow
import numpy as np
import pytest
import zmq
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from vectors import load

from repstream.messages import cbor, dectris_v1, dectris_v2, formats
from repstream.messages.compression import BITSHUFFLED
from repstream.messages.frame import PIXEL_TYPES, TIME_NAMES, Frame, source_time
from repstream.messages.pixels import Pixels, array_of, packed
from repstream.messages.series import SeriesEnd, SeriesStart

IDS = st.integers(0, 2**64 - 1)
TIMES = st.integers(-(2**63), 2**63 - 1)
TICKS = st.none() | st.tuples(st.integers(-(2**64), 2**64), st.integers(1, 2**64))
CONFIGURATIONS = st.dictionaries(st.text(), st.text() | st.integers(-(2**63), 2**63 - 1) | st.booleans())


def unfiltered(chunk: Any, shape: tuple[int, ...], dtype: str) -> Any:
    """What HDF5 reads from a chunk that was stored as it is."""
    with h5py.File.in_memory() as file:
        data = file.create_dataset("data", shape, dtype, chunks=shape, **hdf5plugin.Bitshuffle(0, "lz4"))
        data.id.write_direct_chunk((0,) * len(shape), chunk)
        return data[:]


@st.composite
def images(draw: st.DrawFn, encodings: tuple[Any, ...] = ("", *BITSHUFFLED), dims: int = 2) -> Pixels:
    dtype = np.dtype(draw(st.sampled_from(PIXEL_TYPES))).newbyteorder(draw(st.sampled_from("<>")))
    array = draw(arrays.arrays(dtype, arrays.array_shapes(min_dims=dims, max_dims=dims, max_side=40)))
    return packed(array, draw(st.sampled_from(encodings)))


def same(found: Pixels, wanted: Pixels) -> bool:
    kind = ("shape", "dtype", "encoding")
    return bytes(found.data) == bytes(wanted.data) and all(
        getattr(found, name) == getattr(wanted, name) for name in kind
    )


@given(
    series=IDS,
    frame=IDS,
    pixels=images(("", "lz4", "bitshuffle_lz4")),
    times=st.tuples(TIMES, TIMES, TIMES),
    appendix=st.none() | st.binary(),
)
def test_v1_images_survive_the_wire(
    series: int, frame: int, pixels: Pixels, times: tuple[int, int, int], appendix: bytes | None
) -> None:
    start, stop, real = times
    parts = dectris_v1.encode_image(
        series, frame, pixels, start_time=start, stop_time=stop, real_time=real, appendix=appendix
    )
    image = formats.decode_message(parts)
    assert (image.series, image.frame, image.appendix) == (series, frame, appendix)
    assert (image.start_time, image.stop_time, image.real_time) == times
    assert same(image.pixels, pixels)
    assert image.intact()
    np.testing.assert_array_equal(image.pixels.array(), pixels.array())
    assert image.pixels.array().dtype == pixels.array().dtype


TABLES = {name: packed(np.ones((4, 6), "<f4")) for name in dectris_v1.TABLES}


@given(
    series=IDS,
    configuration=st.none() | CONFIGURATIONS,
    tables=st.none() | st.just(TABLES),
    appendix=st.none() | st.binary(),
)
def test_v1_starts_survive_the_wire(
    series: int, configuration: dict[str, Any] | None, tables: Any, appendix: bytes | None
) -> None:
    if tables:
        configuration = configuration or {}
    parts = dectris_v1.encode_start(series, configuration, tables, appendix)
    start = formats.decode_message(parts)
    assert isinstance(start, SeriesStart)
    assert (start.series, start.configuration, start.appendix) == (series, configuration or {}, appendix)
    assert start.tables == (tables or {})


@given(series=IDS, unique_id=st.text())
def test_ends_survive_the_wire(series: int, unique_id: str) -> None:
    for parts, text in (
        (dectris_v1.encode_end(series), ""),
        (dectris_v2.encode_end(series, unique_id), unique_id),
    ):
        end = formats.decode_message(parts)
        assert isinstance(end, SeriesEnd)
        assert (end.series, end.unique_id) == (series, text)


@given(
    image=st.builds(
        dectris_v2.Image,
        image_id=IDS,
        series_id=IDS,
        data=st.dictionaries(st.text(), images(), min_size=1, max_size=3),
        series_unique_id=st.text(),
        start_time=TICKS,
        stop_time=TICKS,
        real_time=TICKS,
        series_date=st.none() | st.datetimes(timezones=st.just(UTC)),
        user_data=st.none() | CONFIGURATIONS,
        parts=st.just(()),
    )
)
def test_v2_images_survive_the_wire(image: dectris_v2.Image) -> None:
    found = formats.decode_message(dectris_v2.encode_image(image))
    assert isinstance(found, dectris_v2.Image)
    for name in dectris_v2.Image.__struct_fields__:
        if name not in {"data", "parts"}:
            assert getattr(found, name) == getattr(image, name)
    assert found.data.keys() == image.data.keys()
    for name, pixels in image.data.items():
        assert same(found.data[name], pixels)
        assert found.data[name].array().tobytes() == pixels.array().tobytes()


OWN = {"type", "series_id", "series_unique_id"}


@given(
    series=IDS,
    unique_id=st.text(),
    configuration=st.dictionaries(st.text().filter(lambda name: name not in OWN), st.text() | TIMES),
)
def test_v2_starts_survive_the_wire(series: int, unique_id: str, configuration: dict[str, Any]) -> None:
    tables = {
        "\0flatfield/threshold_1": packed(np.ones((4, 6), "f4")),
        "\0flatfield/threshold_2": packed(np.zeros((4, 6), "f4")),
        "\0countrate": packed(np.arange(9, dtype="u4"), "bitshuffle_lz4"),
    }
    start = formats.decode_message(dectris_v2.encode_start(series, unique_id, configuration, tables))
    assert isinstance(start, SeriesStart)
    assert (start.series, start.unique_id, start.configuration) == (series, unique_id, configuration)
    assert start.tables == tables


def test_a_whole_series_as_the_engine_sees_it() -> None:
    for family in ("dectris_v1", "dectris_v2"):
        decoder = formats.FrameDecoder()
        found = [decoder.decode(parts) for parts in load(family)["series_of_three"].messages.values()]
        assert [type(one) for one in found] == [SeriesStart, Frame, Frame, Frame, SeriesEnd]
        assert [one.frame_id for one in found if isinstance(one, Frame)] == [0, 1, 2]
        for frame in found[1:4]:
            assert isinstance(frame, Frame)
            assert (frame.shape, frame.dtype, frame.encoding) == ((40, 51), "uint16", "bitshuffle_lz4")
            names = {"series", "start_time", "stop_time", "real_time"}
            assert formats.attributes(frame).keys() - set(TIME_NAMES) == names


def test_a_series_with_a_date_says_when_each_image_began() -> None:
    images = list(load("dectris_v2")["series_of_three"].messages.values())[1:4]
    found = [source_time(formats.attributes(formats.decode(parts))) for parts in images]
    noon = int(datetime(2026, 3, 1, 12, tzinfo=UTC).timestamp())
    assert found == [(noon, 0), (noon, 10_000_000), (noon, 20_000_000)]


def test_times_of_both_streams_are_nanoseconds() -> None:
    times = (1_000_000, 100_000_000)
    pixels = packed(np.zeros((2, 3), "u2"))
    image = dectris_v2.Image(0, 5, {"a": pixels}, start_time=times, stop_time=None, real_time=times)
    frame = formats.decode(dectris_v2.encode_image(image))
    assert formats.attributes(frame) == {"series": 5, "start_time": 10_000_000, "real_time": 10_000_000}
    frame = formats.decode(dectris_v1.encode_image(5, 0, pixels, start_time=10, stop_time=20, real_time=9))
    assert formats.attributes(frame) == {"series": 5, "start_time": 10, "stop_time": 20, "real_time": 9}


@pytest.mark.parametrize("encoding", ["", "lz4", "bitshuffle_lz4"])
def test_compressed_pixels_of_hdf5s_filter_stay_as_they_came(encoding: Any) -> None:
    image = np.random.default_rng(1).poisson(2, (123, 457)).astype("u4")
    parts = dectris_v1.encode_image(1, 2, packed(image, encoding))
    frame = formats.decode(parts)
    assert frame.encoding == ("" if encoding == "lz4" else encoding)
    assert encoding == "lz4" or frame.payloads[0] is parts[2]
    held = sum(map(len, parts[:2] + parts[3:])) + memoryview(parts[2]).nbytes
    assert frame.nbytes == held + (image.nbytes if encoding == "lz4" else 0)
    np.testing.assert_array_equal(array_of(frame), image)
    if encoding == "bitshuffle_lz4":
        np.testing.assert_array_equal(unfiltered(frame.payloads[0], image.shape, "u4"), image)


def test_a_payload_written_unchanged_is_what_hdf5_reads() -> None:
    for family, name in (("dectris_v1", "dimage_uint32_bs32_lz4"), ("dectris_v2", "image_multi_block")):
        frame = formats.decode(load(family)[name].first)
        found = unfiltered(frame.payloads[0], frame.shape, frame.dtype)
        np.testing.assert_array_equal(found, array_of(frame))


def test_the_configuration_names_the_threshold() -> None:
    vector = load("dectris_v2")["image_two_thresholds_user_data"]
    frame = formats.FrameDecoder(threshold="threshold_2").decode(vector.first)
    assert isinstance(frame, Frame)
    np.testing.assert_array_equal(array_of(frame), vector.arrays["0/data/threshold_2"])
    why = {"": "image with several thresholds", "threshold_3": "image without the threshold"}
    for threshold, what in why.items():
        found = formats.FrameDecoder(threshold=threshold).decode(vector.first)
        assert found == formats.NoImage(what, vector.first)


def test_a_real_image_becomes_a_frame_in_both_streams() -> None:
    v1 = formats.decode(load("dectris_v1")["real_eiger_frame"].first)
    v2 = formats.decode(load("dectris_v2")["real_eiger_series"].messages[1])
    for frame in (v1, v2):
        assert (frame.shape, frame.encoding) == ((4362, 4148), "bitshuffle_lz4")


@pytest.mark.parametrize(
    "value",
    [
        cbor2.CBORTag(40, [[2, 2], cbor2.CBORTag(69, b"12345678")]),
        cbor2.CBORTag(55799, {"a": [cbor2.CBORTag(64, b"123")]}),
        datetime(2026, 3, 1, tzinfo=UTC),
    ],
)
def test_cbor_beside_messages_is_read(value: Any) -> None:
    assert cbor.read(cbor2.dumps(value)) is not None


@pytest.mark.parametrize("tag", [4, 5, 25, 28, 29, 30, 35, 68, 76, 83, 87, 256])
def test_cbor_that_grows_or_is_not_known_is_not_read(tag: int) -> None:
    (found,) = cbor.read(cbor2.dumps([cbor2.CBORTag(tag, [1, 2])]))
    assert isinstance(found, cbor.Unread)
    assert found.error.reason == "cbor"


def test_cbor_writes_pixels_and_nothing_it_does_not_know() -> None:
    for value in (object(), packed(np.ones((2, 2), bool)), packed(np.ones((2, 2)), "lz4")):
        with pytest.raises(cbor2.CBOREncodeError):
            cbor.write({"x": value})


@pytest.mark.parametrize(
    ("configuration", "tables"),
    [
        (None, TABLES),
        ({}, {"flatfield": TABLES["flatfield"]}),
        ({}, {**TABLES, "flatfield": packed(np.ones((4, 6), ">f4"))}),
        ({}, {**TABLES, "flatfield": packed(np.ones((4, 6), "f4"), "bitshuffle_lz4")}),
    ],
)
def test_v1_starts_that_the_format_cannot_say_are_refused(configuration: Any, tables: Any) -> None:
    with pytest.raises(ValueError, match="table"):
        dectris_v1.encode_start(1, configuration, tables)


@pytest.mark.parametrize("shape", [(4,), (2, 3, 4)])
def test_v1_images_have_two_dimensions(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="no image"):
        dectris_v1.encode_image(1, 1, packed(np.ones(shape, "u2")))


SERIES = [
    dectris_v1.encode_start(3, {"nimages": 1}, TABLES, b'{"user": 1}'),
    dectris_v1.encode_image(3, 0, packed(np.ones((40, 51), "u2"), "bitshuffle_lz4"), real_time=7),
    dectris_v1.encode_end(3),
]


def test_psi_mflow_reads_what_we_send(context: zmq.Context) -> None:
    ours = context.socket(zmq.PUSH)
    port = ours.bind_to_random_port("tcp://127.0.0.1")
    peer = mflow.connect(
        f"tcp://127.0.0.1:{port}", conn_type="connect", mode=zmq.PULL, receive_timeout=10_000
    )
    try:
        for parts in SERIES:
            ours.send_multipart(parts, copy=False)
        start, image, end = (peer.receive().data for _ in SERIES)
    finally:
        peer.disconnect()
    assert (start["part_2"], start["appendix"]) == ({"nimages": 1}, {"user": 1})
    assert start["part_3"] == {"htype": "dflatfield-1.0", "shape": [6, 4], "type": "float32"}
    assert image["part_2"]["shape"] == [51, 40]
    np.testing.assert_array_equal(unfiltered(image["part_3_raw"], (40, 51), "u2"), np.ones((40, 51)))
    assert image["part_4"]["real_time"] == 7
    assert end["header"]["series"] == 3


def test_we_read_what_psi_mflow_sends(context: zmq.Context) -> None:
    ours = context.socket(zmq.PULL)
    port = ours.bind_to_random_port("tcp://127.0.0.1")
    peer = mflow.connect(f"tcp://127.0.0.1:{port}", conn_type="connect", mode=zmq.PUSH)
    start, image, end = SERIES
    try:
        peer.forward(
            {
                "header": json.loads(start[0]),
                **{f"part_{i}": json.loads(start[i - 1]) for i in (2, 3, 5, 7)},
                **{f"part_{i}_raw": TABLES["flatfield"].array() for i in (4, 6, 8)},
                "appendix": {"user": 1},
            }
        )
        peer.forward(
            {
                "header": json.loads(image[0]),
                "part_2": json.loads(image[1]),
                "part_3_raw": bytes(image[2]),
                "part_4": json.loads(image[3]),
            }
        )
        peer.forward({"header": json.loads(end[0])})
        received = []
        for _ in SERIES:
            assert ours.poll(10_000)
            received.append(formats.decode_message(ours.recv_multipart(copy=False)))
    finally:
        peer.disconnect()
    assert (received[0].configuration, received[0].tables.keys()) == ({"nimages": 1}, TABLES.keys())
    np.testing.assert_array_equal(received[0].tables["pixel_mask"].array(), np.ones((4, 6)))
    np.testing.assert_array_equal(received[1].pixels.array(), np.ones((40, 51)))
    assert received[2].series == 3
