"""What a detector's document means for its services."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import typer

from repstream.parameters.header_columns import parse_columns
from repstream_cli.std_daq.detector import Detector, load
from repstream_cli.std_daq.live_stream import stream_of

DOCUMENT: dict[str, Any] = {
    "detector_name": "EG1",
    "detector_type": "eiger",
    "n_modules": 1,
    "bit_depth": 16,
    "image_pixel_height": 1024,
    "image_pixel_width": 2048,
    "start_udp_port": 2000,
    "module_positions": {},
}


def detector(folder: Path, **changes: Any) -> Detector:
    path = folder / "detector.json"
    path.write_text(json.dumps({**DOCUMENT, **changes}))
    return load(path)


@pytest.mark.parametrize(
    ("changes", "slots"),
    [
        ({}, 1000),
        ({"ram_buffer_gb": 0}, 1000),
        ({"ram_buffer_gb": 1}, 1000),  # 256 images: less than there are anyway
        ({"ram_buffer_gb": 8}, 2048),
        ({"ram_buffer_gb": 8, "bit_depth": 32}, 1024),
    ],
)
def test_the_memory_of_the_buffer_says_how_many_slots(
    tmp_path: Path, changes: dict[str, Any], slots: int
) -> None:
    found = detector(tmp_path, **changes).source
    assert (found.address, found.ring_slots) == ("ring://EG1-image", slots)


@pytest.mark.parametrize(
    ("kind", "columns"),
    [
        (
            "gigafrost",
            {
                "scan_id": "uint64",
                "scan_time": "uint32",
                "sync_time": "uint32",
                "frame_timestamp": "uint64",
                "exposure_time": "uint64",
            },
        ),
        ("eiger", {"exptime": "uint64"}),
        ("jungfrau", {"daq_rec": "uint64"}),
        ("jungfrau-raw", {"daq_rec": "uint64"}),
        ("jungfrau-converted", {"daq_rec": "uint64"}),
        ("pco", {"global_timestamp_sec": "uint64", "global_timestamp_ns": "uint64"}),
        ("bsread", {}),
    ],
)
def test_the_metadata_have_what_a_kind_of_detector_adds(
    tmp_path: Path, kind: str, columns: dict[str, str]
) -> None:
    writer = detector(tmp_path, detector_type=kind).writer(metadata_service=False)
    assert dict(parse_columns(writer.header_columns)) == {**columns, "image_status": "uint64"}


def test_writers_are_services_where_there_are_any(tmp_path: Path) -> None:
    own = detector(tmp_path).writer(metadata_service=False)
    assert (own.number_of_parts, own.part_services, own.in_parts) == (1, "", True)
    assert own.block_size == 0
    assert detector(tmp_path, gpfs_block_size=2**24).writer(metadata_service=False).block_size == 2**24
    served = detector(tmp_path, number_of_writers=3, writer_user_id=17).writer(metadata_service=True)
    assert (served.number_of_parts, served.part_services) == (3, "/tmp/EG1-writer-")
    assert (served.user_id, served.metadata_service, served.part_names) == (17, True, "std_daq")


@pytest.mark.parametrize(
    ("policy", "fields"),
    [
        ({"type": "forward", "config": []}, {"policy": "forward"}),
        ({"type": "batch", "config": [2, 10]}, {"policy": "batch", "burst": 2, "frame_block": 10}),
        ({"type": "periodic", "config": [3, 2.5]}, {"policy": "periodic", "burst": 3, "burst_rate": 2.5}),
    ],
)
def test_a_live_stream_has_its_policy(tmp_path: Path, policy: dict[str, Any], fields: dict[str, Any]) -> None:
    found = detector(tmp_path, live_stream_configs={"tcp://*:1234": policy})
    stream = stream_of(found, "tcp://*:1234", "bsread").model_dump()
    assert {name: stream[name] for name in fields} == fields
    assert (stream["mode"], stream["format"], stream["on_slow"]) == ("PUB", "bsread", "drop_oldest")
    assert stream_of(found, "tcp://*:999", "array-1.0").policy == "forward"


def test_keys_of_other_versions_are_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    found = detector(tmp_path, a_newer_key=3, number_of_writers=2)
    assert found.number_of_writers == 2
    assert "a_newer_key: not known here, without effect" in caplog.text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "JSON"),
        ("[]", "must be a JSON object"),
        (json.dumps({**DOCUMENT, "bit_depth": 12}), "bit_depth"),
        (json.dumps({k: v for k, v in DOCUMENT.items() if k != "n_modules"}), "n_modules"),
        ("\0" * 100, "JSON"),
    ],
)
def test_a_document_that_is_wrong_is_refused_with_its_reason(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "wrong.json"
    path.write_text(text)
    with pytest.raises(typer.BadParameter, match=reason):
        load(path)
    with pytest.raises(typer.BadParameter, match="cannot be read"):
        load(tmp_path / "none.json")
