from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.engine.files.samples import plan

from repstream.files import hdf5, layout
from repstream.files.nexus import nodes, trees

TYPES = [">u2", "<f8", "i1", [("image_id", "<u8"), ("a_rather_long_member_name", "<f4")]]


@settings(max_examples=30)
@given(
    st.lists(st.integers(1, 50), max_size=3),
    st.sampled_from(TYPES),
    st.integers(0, 20),
    st.integers(1, 2**40),
)
def test_the_extent_is_the_number_that_the_library_reads(
    item: list[int], dtype: object, attributes: int, extent: int
) -> None:
    named = {f"attribute {number}": "x" * number for number in range(attributes)}
    stack = nodes.Stack(tuple(item), np.dtype(dtype), 1, attributes=named)
    image = hdf5.build({"/det": nodes.Group({}), "/det/data": stack})
    changed = bytearray(image.data)
    layout.ADDRESS.pack_into(changed, image.stacks["/det/data"].extent, extent)
    with h5py.File.in_memory(bytes(changed)) as file:
        assert file["/det/data"].shape == (extent, *item)
        assert file["/det/data"].dtype == np.dtype(dtype)


def test_the_stated_end_is_the_end_of_the_file() -> None:
    image = hdf5.build(trees.empty_tree(plan(Path("/a.h5"))))
    assert layout.ADDRESS.unpack_from(image.data, layout.END_OF_FILE)[0] == len(image.data)


def test_the_index_of_an_empty_dataset_is_undefined() -> None:
    image = hdf5.build({"/data": nodes.Stack((2,), np.dtype("u1"), 1)})
    assert layout.ADDRESS.unpack_from(image.data, image.stacks["/data"].index)[0] == layout.UNDEFINED


@pytest.mark.parametrize("libver", ["v108", "v110", "latest"])
def test_newer_structures_are_refused(libver: str) -> None:
    with h5py.File.in_memory(libver=libver) as file:
        data = file.create_dataset("data", shape=(0, 2), dtype="u1", maxshape=(None, 2), chunks=(1, 2))
        header = h5py.h5o.get_info(data.id).addr
        file.flush()
        image = file.id.get_file_image()
    with pytest.raises(ValueError, match="version"):
        layout.check_superblock(image)
    with pytest.raises(ValueError, match="version"):
        layout.dataset_places(image, header)


def test_what_is_not_hdf5_is_refused() -> None:
    with pytest.raises(ValueError, match="signature"):
        layout.check_superblock(b"CDF\x01" + bytes(100))


def test_a_dataset_that_cannot_grow_is_refused() -> None:
    with h5py.File.in_memory(libver="earliest") as file:
        header = h5py.h5o.get_info(file.create_dataset("data", data=[1, 2]).id).addr
        file.flush()
        image = file.id.get_file_image()
    with pytest.raises(ValueError, match="expected 3, chunked"):
        layout.dataset_places(image, header)
