"""Other formats than array-1.0 as the input: to the streams, to the file, in the counters."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cbor2
import h5py
import hdf5plugin  # noqa: F401  registers the filters
import numpy as np
import pytest
import zmq
from tests.engine.dataplane.bench import Parts, Plane, configuration, image, message, receive, send
from tests.engine.dataplane.conftest import Opener
from tests.engine.dataplane.test_acquisitions import end, images_of, running, start
from tests.engine.dataplane.test_file_options import table_of
from tests.engine.messages.vectors import load

from repstream.dataplane import control
from repstream.files.verify import verify
from repstream.messages import bsread, dectris_v1, dectris_v2, formats, pilatus_1_0, raw_1_0
from repstream.messages.pixels import packed

Address = Callable[[str], str]
Socket = zmq.Socket[bytes]

SERIES = {family: load(family)["series_of_three"] for family in ("dectris_v1", "dectris_v2")}
BITSHUFFLE = 32008


def pulse(pulse_id: int, **values: Any) -> Parts:
    channels = [bsread.describe(name, value) for name, value in values.items()]
    parts = bsread.encode(pulse_id, channels, list(values.values()), timestamp=(1_700_000_000, pulse_id))
    return [bytes(part) for part in parts]


def dimage(frame: int, pixels: np.ndarray[Any, Any], encoding: Any = "") -> Parts:
    return [
        bytes(part) for part in dectris_v1.encode_image(1, frame, packed(pixels, encoding), start_time=frame)
    ]


def opened(plane: Plane, address: Address, peer: Opener, source: dict[str, Any], **sections: Any) -> Socket:
    base = configuration(address("in"), **sections)
    changed = base.model_copy(update={"source": base.source.changed(source)})
    assert plane.open(changed) == ""
    return peer(zmq.PUSH, bind=address("in"))


def finish(plane: Plane, written: int) -> None:
    plane.writer(1, lambda w: w.ledger.sent == written)
    end(plane)
    plane.acquisition("FINISHED")


def test_every_message_of_every_format_is_forwarded_byte_for_byte(
    plane: Plane, address: Address, peer: Opener
) -> None:
    plane.open(configuration(address("in"), streams={"live": {"address": address("live")}}))
    source, sink = peer(zmq.PUSH, bind=address("in")), peer(zmq.PULL, connect=address("live"))
    sent = [*SERIES["dectris_v1"].messages.values(), *SERIES["dectris_v2"].messages.values()]
    sent += [pulse(1, x=image(1), y=2.5), pulse(2, y=2.5), message(3), raw_1_0.encode([b"a", b""])]
    sent += [pilatus_1_0.encode("a.cbf", "/", b"cbf"), load("chunk-1.0")[next(iter(load("chunk-1.0")))].first]
    for parts in sent:
        source.send_multipart(parts)
    assert receive(sink, len(sent)) == sent
    ledger = plane.stream(1, lambda s: s.ledger.sent == len(sent)).ledger
    assert (ledger.offered, ledger.dropped) == (len(sent), {})
    assert ledger.nbytes_sent == sum(len(part) for parts in sent for part in parts)
    counts = plane.report().source.ledger
    assert counts.messages == len(sent) == counts.frames + sum(counts.other.values())
    kinds = {"series start": 2, "series end": 2, "bsread pulse": 1, "raw-1.0": 1, "pilatus-1.0": 1}
    assert (counts.other, counts.malformed) == (kinds, {})
    assert counts.nbytes == ledger.nbytes_sent


@pytest.mark.parametrize("family", SERIES)
def test_starts_and_ends_pass_every_policy(plane: Plane, address: Address, peer: Opener, family: str) -> None:
    streams = {"few": {"address": address("few"), "policy": "send_every_nth", "every_nth": 100}}
    plane.open(configuration(address("in"), streams=streams))
    source, sink = peer(zmq.PUSH, bind=address("in")), peer(zmq.PULL, connect=address("few"))
    sent = list(SERIES[family].messages.values())
    for parts in sent:
        source.send_multipart(parts)
    assert receive(sink, 3) == [sent[0], sent[1], sent[-1]]
    assert plane.stream(1, lambda s: s.ledger.offered == 5).ledger.skipped == {"policy": 2}


def test_a_std_det_writer_stream_drops_what_that_does_not_know(
    plane: Plane, address: Address, peer: Opener
) -> None:
    streams = {"writer": {"address": address("w"), "header": "std_det_writer"}}
    plane.open(configuration(address("in"), streams=streams))
    source, sink = peer(zmq.PUSH, bind=address("in")), peer(zmq.PULL, connect=address("w"))
    for parts in (dimage(7, image(7)), pulse(8, x=image(8)), raw_1_0.encode([]), message(9)):
        source.send_multipart(parts)
    assert b'"frame":0' in sink.recv_multipart()[0]
    ledger = plane.stream(1, lambda s: s.ledger.offered == 4).ledger
    assert (ledger.dropped, ledger.skipped) == ({"format": 2}, {"format": 1})


def test_the_named_channel_is_the_image_and_the_scalars_are_its_metadata(
    plane: Plane, address: Address, peer: Opener, tmp_path: Path
) -> None:
    source = opened(plane, address, peer, {"channel": "camera"}, writers={"file": {}})
    start(plane, tmp_path / "scan.h5")
    for i in range(10):
        source.send_multipart(
            pulse(100 + i, other=image(0), camera=image(i), **{"BEAM:X": i / 2, "n": i - 5})
        )
    source.send_multipart(pulse(110, other=image(0)))
    finish(plane, 10)
    np.testing.assert_array_equal(images_of(tmp_path / "scan.h5"), [image(i) for i in range(10)])
    table = table_of(tmp_path / "scan.h5")
    assert list(table["image_id"]) == list(range(100, 110))
    assert (list(table["BEAM:X"]), list(table["n"])) == ([i / 2 for i in range(10)], list(range(-5, 5)))
    assert set(table["global_timestamp_sec"]) == {1_700_000_000}
    assert list(table["global_timestamp_ns"]) == list(range(100, 110))
    ledger = plane.report().source.ledger
    assert (ledger.malformed, ledger.other) == ({}, {"bsread pulse without the channel": 1})


def test_the_named_threshold_is_the_image(
    plane: Plane, address: Address, peer: Opener, tmp_path: Path
) -> None:
    vector = load("dectris_v2")["image_two_thresholds_user_data"]
    name = next(iter(k for k in vector.arrays if "threshold_2" in k))
    source = opened(plane, address, peer, {"threshold": "threshold_2"}, writers={"file": {}})
    start(plane, tmp_path / "scan.h5", 1)
    source.send_multipart(vector.first)
    plane.acquisition("FINISHED")
    np.testing.assert_array_equal(images_of(tmp_path / "scan.h5")[0], vector.arrays[name])


def test_ids_of_a_slow_source_have_no_gaps_but_real_ones(
    plane: Plane, address: Address, peer: Opener, tmp_path: Path
) -> None:
    source = opened(plane, address, peer, {"id_step": 10}, writers={"file": {}})
    start(plane, tmp_path / "scan.h5", placement="by_id")
    send(source, [5, 15, 45, 35])
    finish(plane, 4)
    ledger = plane.report().source.ledger
    assert (ledger.missing, ledger.late, ledger.resets) == (1, 1, 0)
    assert list(table_of(tmp_path / "scan.h5")["image_id"]) == [5, 15, 25, 35, 45]


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "uint32"])
def test_images_that_come_compressed_are_in_the_file_as_they_came(
    plane: Plane, address: Address, peer: Opener, tmp_path: Path, dtype: str
) -> None:
    source = running(plane, address, peer)
    start(plane, tmp_path / "scan.h5", 5)
    images = [image(i, (30, 41)).astype(dtype) for i in range(5)]
    sent = [dimage(i, pixels, "bitshuffle_lz4") for i, pixels in enumerate(images)]
    for parts in sent:
        source.send_multipart(parts)
    plane.acquisition("FINISHED")
    with h5py.File(tmp_path / "scan.h5") as file:
        data = file["/entry/data/data"]
        assert [data.id.read_direct_chunk((i, 0, 0))[1] for i in range(5)] == [parts[2] for parts in sent]
        assert data.id.get_create_plist().get_filter(0)[0] == BITSHUFFLE
        np.testing.assert_array_equal(data[:], images)
        assert list(file["/detector/metadata"]["start_time"]) == list(range(5))


@pytest.mark.parametrize("encoding", ["lz4", ""])
def test_images_of_another_encoding_are_unpacked_for_the_file(
    plane: Plane, address: Address, peer: Opener, tmp_path: Path, encoding: str
) -> None:
    source = running(plane, address, peer)
    start(plane, tmp_path / "scan.h5", 3)
    for i in range(3):
        source.send_multipart(dimage(i, image(i), encoding))
    plane.acquisition("FINISHED")
    np.testing.assert_array_equal(images_of(tmp_path / "scan.h5"), [image(i) for i in range(3)])


@pytest.mark.parametrize("first", ["", "bitshuffle_lz4"])
def test_a_file_takes_one_encoding_only(
    plane: Plane, address: Address, peer: Opener, tmp_path: Path, first: str
) -> None:
    source = running(plane, address, peer)
    start(plane, tmp_path / "scan.h5")
    other = "" if first else "bitshuffle_lz4"
    for i in range(10):
        source.send_multipart(dimage(i, image(i), other if i % 5 == 4 else first))
    plane.writer(1, lambda w: w.ledger.offered == 10)
    finish(plane, 8)
    kept = [i for i in range(10) if i % 5 != 4]
    np.testing.assert_array_equal(images_of(tmp_path / "scan.h5"), [image(i) for i in kept])
    assert plane.report().writers[1].ledger.dropped == {"encoding": 2}


def test_a_file_that_is_compressed_anyway_takes_both(
    plane: Plane, address: Address, peer: Opener, tmp_path: Path
) -> None:
    source = running(plane, address, peer)
    start(plane, tmp_path / "scan.h5", 10, compression="bitshuffle_lz4")
    for i in range(10):
        source.send_multipart(dimage(i, image(i), "bitshuffle_lz4" if i % 2 else ""))
    assert plane.acquisition("FINISHED").report.ledger.dropped == {}
    np.testing.assert_array_equal(images_of(tmp_path / "scan.h5"), [image(i) for i in range(10)])


def test_good_messages_without_an_image_for_us_are_forwarded_as_other(
    plane: Plane, address: Address, peer: Opener
) -> None:
    live = {"live": {"address": address("live"), "policy": "send_every_nth", "every_nth": 100}}
    source = opened(plane, address, peer, {"channel": "image"}, streams=live)
    sink = peer(zmq.PULL, connect=address("live"))
    pulses = [pulse(i, y=1.5, **({"image": image(i)} if i % 10 == 0 else {})) for i in range(100, 140)]
    two = load("dectris_v2")["image_two_thresholds_user_data"].first
    sent = [*pulses, two, [cbor2.dumps({"type": "status"})]]
    for parts in sent:
        source.send_multipart(parts)
    assert receive(sink, 39) == [parts for i, parts in enumerate(sent) if i not in (10, 20, 30)]
    ledger = plane.report(lambda r: r.source.ledger.messages == 42).source.ledger
    assert (ledger.frames, ledger.malformed) == (4, {})
    assert ledger.other == {
        "bsread pulse without the channel": 36,
        "image with several thresholds": 1,
        "CBOR of another type": 1,
    }


@pytest.mark.parametrize("repeated", [True, False])
def test_malformed_messages_are_repeated_where_that_is_asked_for(
    plane: Plane, address: Address, peer: Opener, repeated: bool
) -> None:
    live = {"live": {"address": address("live")}}
    source = opened(plane, address, peer, {"repeat_malformed": repeated}, streams=live)
    sink = peer(zmq.PULL, connect=address("live"))
    sent = [[b"junk"], [*message(1), b"short"], message(2)]
    for parts in sent:
        source.send_multipart(parts)
    wanted = sent if repeated else sent[2:]
    assert receive(sink, len(wanted)) == wanted
    report = plane.report(lambda r: r.source.ledger.messages == 3)
    assert report.source.ledger.malformed == {"json": 1, "size": 1}
    ledger = report.streams[1].ledger
    assert ledger.offered == ledger.sent == len(wanted)
    assert report.losses == 2


def test_metadata_that_cannot_be_read_is_noted_once(plane: Plane, address: Address, peer: Opener) -> None:
    source = opened(plane, address, peer, {}, streams={})
    for i in range(3):
        parts = dimage(i, image(i))
        parts[3] = b'{"htype": "dconfig-1.0", "start_time": "soon"}'
        source.send_multipart(parts)
    assert plane.report(lambda r: r.source.ledger.messages == 3).source.ledger.frames == 3
    (note,) = plane.of(control.Note)
    assert "start_time" in note.message


def test_a_wrong_hash_is_malformed_where_it_is_checked(plane: Plane, address: Address, peer: Opener) -> None:
    source = opened(plane, address, peer, {"verify_hash": True}, streams={})
    good, bad = dimage(1, image(1)), dimage(2, image(2))
    bad[2] = bytes(len(bad[2]))
    for parts in (good, bad):
        source.send_multipart(parts)
    ledger = plane.report(lambda r: r.source.ledger.messages == 2).source.ledger
    assert (ledger.frames, ledger.malformed) == (1, {"hash": 1})


def test_a_decoder_that_fails_ends_nothing(
    plane: Plane, address: Address, peer: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(parts: Parts) -> formats.Message:
        raise ZeroDivisionError

    monkeypatch.setattr(formats, "CODECS", {**formats.CODECS, "raw-1.": fail})
    source = opened(plane, address, peer, {}, streams={})
    source.send_multipart(raw_1_0.encode([b"a"]))
    source.send_multipart(message(1))
    ledger = plane.report(lambda r: r.source.ledger.messages == 2).source.ledger
    assert (ledger.frames, ledger.malformed) == (1, {"internal": 1})


@pytest.mark.parametrize("options", [{}, {"compression": "bitshuffle_lz4", "checksum": "xxh3"}], ids=str)
def test_images_with_zstandard_are_in_the_file_as_they_came(
    plane: Plane, address: Address, peer: Opener, tmp_path: Path, options: dict[str, str]
) -> None:
    source = running(plane, address, peer)
    path = tmp_path / "scan.h5"
    start(plane, path, 3, **options)
    pixels = [packed(image(i, (30, 41)), "bitshuffle_zstd") for i in range(3)]
    for i, one in enumerate(pixels):
        source.send_multipart(dectris_v2.encode_image(dectris_v2.Image(i, 1, {"threshold_1": one})))
    done = plane.acquisition("FINISHED")
    assert done.report.ledger.dropped == {}
    with h5py.File(path) as file:
        data = file["/entry/data/data"]
        assert [data.id.read_direct_chunk((i, 0, 0))[1] for i in range(3)] == [one.data for one in pixels]
        assert data.id.get_create_plist().get_filter(0)[0] == BITSHUFFLE
        np.testing.assert_array_equal(data[:], [image(i, (30, 41)) for i in range(3)])
    assert verify(path).complete


def test_zstandard_is_not_mixed_with_others_in_a_file(
    plane: Plane, address: Address, peer: Opener, tmp_path: Path
) -> None:
    source = running(plane, address, peer)
    start(plane, tmp_path / "scan.h5", compression="bitshuffle_lz4")
    kinds: list[Any] = ["bitshuffle_zstd", "", "bitshuffle_lz4", "bitshuffle_zstd"]
    for i, kind in enumerate(kinds):
        one = dectris_v2.Image(i, 1, {"threshold_1": packed(image(i), kind)})
        source.send_multipart(dectris_v2.encode_image(one))
    finish(plane, 2)
    np.testing.assert_array_equal(images_of(tmp_path / "scan.h5"), [image(0), image(3)])
    assert plane.report().writers[1].ledger.dropped == {"encoding": 2}
