"""Rows of metadata from headers that change their mind."""

from __future__ import annotations

import json
import math
from pathlib import Path
from tempfile import TemporaryDirectory

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.engine.dataplane.bench import message

from repstream.dataplane.storing.metadata import MAX_MEMBERS, members_of, rows_of
from repstream.errors import MalformedMessage
from repstream.files.frame_file import FrameFile
from repstream.files.plan import FilePlan
from repstream.messages import array_1_0
from repstream.messages.array_attributes import AttributeReader
from repstream.messages.frame import Frame

NUMBERS = st.one_of(
    st.booleans(), st.integers(-(2**63), 2**64 - 1), st.floats(allow_nan=False, allow_infinity=False)
)
ANYTHING = st.one_of(
    NUMBERS, st.none(), st.text(), st.integers(2**64, 2**70), st.lists(NUMBERS, max_size=2), st.just({})
)
ATTRIBUTES = st.dictionaries(st.text(max_size=80), st.one_of(NUMBERS, st.text(), st.none()), max_size=6)


def frame(frame_id: int, /, **attributes: object) -> Frame:
    return array_1_0.decode(message(frame_id, image_attributes=attributes))


def test_the_first_frame_fixes_the_members() -> None:
    first = frame(1, a=-1, b=2**64 - 1, c=0.5, d=True)
    members = members_of(first)
    assert [(name, dtype.str) for name, dtype in members] == [
        ("a", "<i8"),
        ("b", "<u8"),
        ("c", "<f8"),
        ("d", "|u1"),
    ]
    rows = rows_of([first, frame(2), frame(3, a=1.5, b=-1, c=2, d=1, e=9), frame(4, c="text")], members)
    assert list(rows["image_id"]) == [1, 2, 3, 4]
    assert list(rows["a"]) == [-1, 0, 0, 0]
    assert list(rows["b"]) == [2**64 - 1, 0, 0, 0]
    assert rows["c"][0] == 0.5
    assert math.isnan(rows["c"][1])
    assert rows["c"][2] == 2
    assert math.isnan(rows["c"][3])
    assert list(rows["d"]) == [1, 0, 0, 0]
    assert set(rows["status"]) == {0}


def test_names_that_are_taken_or_unusable_are_left_out() -> None:
    odd = {"image_id": 1, "status": 5, "": 1, "a\nb": 1, "long" * 20: 1, "fine": 1}
    assert [name for name, _ in members_of(frame(0, **odd))] == ["fine"]


def test_the_number_of_members_is_bounded() -> None:
    assert len(members_of(frame(0, **{f"m{i}": i for i in range(300)}))) == MAX_MEMBERS


@settings(max_examples=30, deadline=None)
@given(st.lists(ATTRIBUTES, min_size=1, max_size=5))
def test_whatever_headers_hold_a_file_keeps_their_rows(headers: list[dict[str, object]]) -> None:
    frames = [frame(i, **attributes) for i, attributes in enumerate(headers)]
    members = members_of(frames[0])
    rows = rows_of(frames, members)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "scan.h5"
        file = FrameFile.create(FilePlan(path, "detector", (4, 5), np.dtype("<u2"), members))
        file.append([frame.payloads[0] for frame in frames], rows)
        file.finish({})
        with h5py.File(path) as stored:
            assert stored["/detector/metadata"][:].tobytes() == rows.tobytes()


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(st.sampled_from(["a", "b", "frame", "image_attributes", "é\n"]), ANYTHING),
    st.one_of(ANYTHING, st.dictionaries(st.sampled_from(["a", "b", "frame"]), ANYTHING)),
    st.lists(st.sampled_from(["a", "b", "frame", "image_attributes", "é\n", "never"]), unique=True),
)
def test_some_attributes_are_read_as_all_are(
    beside: dict[str, object], within: object, names: list[str]
) -> None:
    header = json.dumps({**beside, "image_attributes": within}).encode()
    found = array_1_0.attributes(header)
    read = [
        value if not isinstance(value, int) or -(2**63) <= value < 2**64 else None
        for value in AttributeReader(names)(header)
    ]
    assert [(type(value), value) for value in read] == [
        (type(found.get(name)), found.get(name)) for name in names
    ]


def test_a_header_that_is_no_object_is_told() -> None:
    for header in (b"[1]", b"{", b"\xff", b'{"a": 1} x'):
        with pytest.raises(MalformedMessage, match="json"):
            AttributeReader(["a"])(header)
