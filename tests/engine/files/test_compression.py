from __future__ import annotations

import h5py
import hdf5plugin
import numpy as np
import pytest

from repstream.files import compress


@pytest.mark.parametrize("dtype", ["u1", ">u2", "<u4", "f8"])
@pytest.mark.parametrize("count", [1, 7, 8, 1000, 100_003])
def test_the_filter_gives_the_pixels_back(dtype: str, count: int) -> None:
    pixels = np.random.default_rng(count).integers(0, 200, count).astype(dtype)
    with h5py.File.in_memory() as file:
        filters = hdf5plugin.Bitshuffle(0, "lz4")
        data = file.create_dataset("data", (count,), dtype, chunks=(count,), **filters)
        data.id.write_direct_chunk((0,), compress(pixels.tobytes(), pixels.itemsize))
        assert data[:].tobytes() == pixels.tobytes()


def test_it_is_what_the_filter_itself_stores() -> None:
    pixels = np.random.default_rng(1).poisson(2, (300, 400)).astype("u2")
    with h5py.File.in_memory() as file:
        filters = hdf5plugin.Bitshuffle(0, "lz4")
        data = file.create_dataset("data", data=pixels, chunks=pixels.shape, **filters)
        assert data.id.read_direct_chunk((0, 0))[1] == compress(memoryview(pixels).cast("B"), 2)


def test_a_part_of_a_pixel_is_refused() -> None:
    with pytest.raises(ValueError, match="multiple"):
        compress(b"abc", 2)
