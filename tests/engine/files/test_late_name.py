"""A field whose name appears at the end, by one write."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.engine.files.samples import payload, plan, rows

from repstream.files import FrameFile, Placeholder, hdf5, late_name
from repstream.files.nexus import nodes, trees
from repstream.files.nexus.places import END_TIME
from repstream.files.results import ResultFields

NUMBER = np.dtype("<i8")
NAMES = st.text("abcxyz_", min_size=1, max_size=12)


def values(data: bytes) -> dict[str, Any]:
    """Names and values in the group, each looked up by its name."""
    with h5py.File(io.BytesIO(data)) as file:
        group = file["/group"]
        found = {name: group[name][()] for name in group}
        assert len(group) == len(found)
        return found


@settings(max_examples=60)
@given(st.sets(NAMES, min_size=2, max_size=200), st.data())
def test_all_names_but_the_late_one_are_there_until_the_write(names: set[str], data: st.DataObject) -> None:
    late = data.draw(st.sampled_from(sorted(names)))
    expected = dict(zip(sorted(names), range(len(names)), strict=True))
    fields = {f"/group/{name}": nodes.Field(NUMBER, n, late=name == late) for name, n in expected.items()}
    image = hdf5.build({"/group": nodes.Group({}), **fields})
    assert values(image.data) == {name: n for name, n in expected.items() if name != late}
    place = image.fields[f"/group/{late}"]
    assert place.name is not None
    offset, pointer = place.name
    assert len(pointer) == 8
    assert offset % 8 == 0
    shown = image.data[:offset] + pointer + image.data[offset + 8 :]
    assert values(shown) == expected


def test_the_only_name_of_a_group_cannot_be_late() -> None:
    with pytest.raises(ValueError, match="no name that can be hidden"):
        hdf5.build({"/group": nodes.Group({}), "/group/a": nodes.Field(NUMBER, 1, late=True)})


def test_what_is_no_group_is_refused() -> None:
    image = hdf5.build({"/group": nodes.Group({}), "/group/a": nodes.Field(NUMBER, 1)}).data
    with h5py.File(io.BytesIO(image)) as file:
        field = h5py.h5o.get_info(file["/group/a"].id).addr
    with pytest.raises(ValueError, match="no group"):
        late_name.hide(image, field, field)


def test_the_end_is_absent_while_a_file_grows_and_after_a_kill(tmp_path: Path) -> None:
    of = plan(tmp_path / "a.h5")
    file = FrameFile.create(of)
    file.append([payload(of, 0)], rows(of, 0, 1))
    for _ in range(2):
        with h5py.File(of.path) as read:
            assert "end_time" not in read["/entry"]
            assert set(read["/entry"]) == {"acquisition", "data", "instrument"}
        file.close()


def test_a_file_without_images_has_its_end(tmp_path: Path) -> None:
    file = Placeholder.create(tmp_path / "a.h5", "det", {})
    with h5py.File(tmp_path / "a.h5") as read:
        assert END_TIME not in read
    file.finish({"outcome": "interrupted", "stop_time": 1.6e9})
    with h5py.File(tmp_path / "a.h5") as read:
        assert read[END_TIME][()] == b"2020-09-13T12:26:40.000000+00:00"


def test_a_kill_between_the_results_leaves_the_end_whole_or_absent(tmp_path: Path) -> None:
    of = plan(tmp_path / "a.h5")
    image = hdf5.build(trees.image_tree(of))
    data, seen = bytearray(image.data), []
    for offset, written in ResultFields(image.fields).encode(
        {"outcome": "completed", "stop_time": 1.6e9, "written": 3}
    ):
        data[offset : offset + len(written)] = written
        with h5py.File(io.BytesIO(data)) as read:
            seen.append(read[END_TIME][()] if END_TIME in read else None)
    assert set(seen) == {None, b"2020-09-13T12:26:40.000000+00:00"}
    assert seen[-1] is not None
