"""What a detector tells of itself, in files."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import h5py
import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nexusformat.nexus.validate import validate_file
from tests.engine.files.samples import payload, plan, rows

from repstream.files import FrameFile
from repstream.files.detector import DetectorFacts, facts_of, plain
from repstream.messages.pixels import Pixels, packed
from repstream.messages.series import SeriesStart

LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.datetimes()
THINGS = st.recursive(
    LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner)
)


def start(tables: dict[str, Pixels] | None = None, **configuration: Any) -> SeriesStart:
    return SeriesStart(3, "u", configuration, tables or {}, None, ())


def written(path: Path, detector: DetectorFacts) -> Path:
    of = plan(path, detector=detector)
    file = FrameFile.create(of)
    file.append([payload(of, 0)], rows(of, 0, 1))
    file.finish({"outcome": "completed"})
    return path


@given(THINGS)
def test_anything_a_detector_tells_becomes_json(thing: Any) -> None:
    json.loads(json.dumps(plain(thing), allow_nan=False))


def test_what_json_does_not_have_becomes_text() -> None:
    told = plain(
        {"a": math.nan, "b": b"\x01\xff", 7: 2**70, "d": datetime(2026, 1, 2, tzinfo=UTC), "e": [1.5, True]}
    )
    assert told == {
        "a": "nan",
        "b": "01ff",
        "7": str(2**70),
        "d": "2026-01-02T00:00:00+00:00",
        "e": [1.5, True],
    }


def test_a_configuration_too_deep_costs_itself_only() -> None:
    deep: Any = 1
    for _ in range(3000):
        deep = [deep]
    assert facts_of(start(deep=deep)).configuration == "{}"


def test_a_damaged_table_is_left_out() -> None:
    good = packed(np.arange(600, dtype="u4").reshape(20, 30), "bitshuffle_lz4")
    damaged = msgspec.structs.replace(good, data=good.data[:16] + b"\xff" * (len(good.data) - 16))
    facts = facts_of(start({"pixel_mask": good, "flatfield": damaged}))
    assert list(facts.tables) == ["pixel_mask"]


def test_the_validator_of_nexus_finds_no_error(tmp_path: Path) -> None:
    mask = np.zeros((4, 6), "u4")
    detector = DetectorFacts(
        series=3,
        unique_id="u",
        configuration='{"count_time": 0.1, "beam_center_x": 3.5, "sensor_material": "Si"}',
        tables={"pixel_mask/threshold_1": mask, "flatfield/threshold_1": np.ones((4, 6), "f4")},
        appendix="mine",
    )
    path = written(tmp_path / "a.h5", detector)
    assert validate_file(str(path))[1] == 0
    with h5py.File(path) as file:
        assert file["/entry/instrument/detector/pixel_mask"].shape == (4, 6)
        assert file["/entry/acquisition/series_appendix"][()] == b"mine"


@pytest.mark.parametrize("name", ["data", "a/b c", "../x", "ä", "metadata/data"])
def test_a_table_of_any_name_disturbs_nothing(tmp_path: Path, name: str) -> None:
    path = written(tmp_path / "a.h5", DetectorFacts(series=1, tables={name: np.arange(4)}))
    with h5py.File(path) as file:
        assert file["/entry/data/data"].shape == (1, 4, 6)
        found: list[str] = []
        file["/entry/instrument/detector"].visit(lambda n: found.append(n) if "table_" in n else None)
        assert len(found) == 1
