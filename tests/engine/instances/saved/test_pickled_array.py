"""Arrays that are uploaded as pickles: read as numpy reads them, and nothing else is."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from repstream.errors import InvalidValue
from repstream.instances.saved.pickled_array import read_array, write_array

TYPES = st.one_of(
    arrays.boolean_dtypes(),
    arrays.integer_dtypes(endianness="?"),
    arrays.unsigned_integer_dtypes(endianness="?"),
    arrays.floating_dtypes(endianness="?", sizes=(16, 32, 64)),
)
ARRAYS = arrays.arrays(TYPES, arrays.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=6))


def as_numpy_1(data: bytes) -> bytes:
    return data.replace(b"numpy._core.multiarray", b"numpy.core.multiarray")


@given(ARRAYS, st.booleans(), st.booleans())
def test_an_array_is_read_as_it_was_pickled(array: np.ndarray, fortran: bool, numpy_1: bool) -> None:
    given_array = np.asfortranarray(array) if fortran else array
    data = pickle.dumps(given_array, 0)
    found = read_array(as_numpy_1(data) if numpy_1 else data)
    assert found.dtype == array.dtype
    np.testing.assert_array_equal(found, array)


@given(ARRAYS)
def test_an_array_is_written_as_pickle_and_this_reader_know_it(array: np.ndarray) -> None:
    data = write_array(array)
    for found in (read_array(data), pickle.loads(data)):
        assert found.dtype.newbyteorder("=") == array.dtype.newbyteorder("=")  # numpy's becomes native
        np.testing.assert_array_equal(found, array)


class Evil:
    def __init__(self, called: Any, *arguments: Any) -> None:
        self.called, self.arguments = called, arguments

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return self.called, self.arguments


def replaced(old: bytes, new: bytes) -> bytes:
    data = pickle.dumps(np.zeros((2, 3), np.uint16), 0)
    assert old in data
    return data.replace(old, new)


ATTACKS = {
    "a command": pickle.dumps(Evil(os.system, "true"), 0),
    "a command in an array": b"cnumpy\nndarray\np0\n(cposix\nsystem\n(Vtrue\ntRt.",
    "eval": pickle.dumps(Evil(eval, "1"), 0),
    "a file": pickle.dumps(Evil(np.load, "/etc/passwd"), 0),
    "an array of objects": pickle.dumps(np.array([Evil(os.getpid)], object), 0),
    "a structured array": pickle.dumps(np.zeros(2, [("a", "u2")]), 0),
    "an array that calls the class": b"cnumpy\nndarray\n((I1099511627776\nttR.",
    "another encoding": b"c_codecs\nencode\n(Vabc\nVzip\ntR.",
    "a huge index of the memo": b"Nr\xff\xff\xff\x7f.",
    "more than there is": replaced(b"I2\nI3\n", b"I2000\nI3000000000\n"),
    "a negative shape": replaced(b"I2\nI3\n", b"I-1\nI-1\n"),
    "a shape that is none": replaced(b"I2\nI3\n", b"I2\nVx\n"),
    "another protocol": pickle.dumps(np.zeros((2, 3)), 4),
    "no pickle": b"{}",
    "nothing": b"",
    "no end": pickle.dumps(np.zeros(3), 0)[:-1],
    "many operations": b"N" * 100_000 + b".",
    "a list": pickle.dumps([1, 2], 0),
    "a number": pickle.dumps(1, 0),
    "a masked array": pickle.dumps(np.ma.masked_array([1], [True]), 0),
    "an attribute by extension": b"\x82\x01.",
    "build on a class": b"cnumpy\nndarray\nNb.",
    "a tuple without a beginning": b"t.",
    "an unknown name": b"g7\n.",
    "two results": b"NN.",
}


@pytest.mark.parametrize("data", ATTACKS.values(), ids=ATTACKS)
def test_anything_else_is_refused_and_not_run(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "system", lambda *_: pytest.fail("it ran"))
    with pytest.raises(InvalidValue, match=r"is not pickle\.dumps"):
        read_array(data)


@given(st.binary(max_size=200))
def test_random_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(InvalidValue):
        read_array(data)


@given(st.data())
def test_a_damaged_pickle_is_read_or_refused(data: st.DataObject) -> None:
    whole = bytearray(pickle.dumps(np.arange(6, dtype=np.uint16).reshape(2, 3), 0))
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] = data.draw(st.integers(0, 255))
    try:
        assert read_array(bytes(whole)).nbytes < 1000
    except InvalidValue:
        pass


def test_a_background_of_100_megabytes_is_read() -> None:
    array = np.full((5000, 10000), 0x4142, np.uint16)
    assert read_array(pickle.dumps(array, 0)).nbytes == 100_000_000


def test_files_of_the_host_cannot_be_named(tmp_path: Path) -> None:
    """A global is a name of the list and no import."""
    with pytest.raises(InvalidValue, match="wants to use"):
        read_array(b"cos\nremove\n(V" + str(tmp_path).encode() + b"\ntR.")
