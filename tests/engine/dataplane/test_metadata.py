"""Rows of metadata from headers that change their mind."""

from __future__ import annotations

import json
import math
from pathlib import Path
from tempfile import TemporaryDirectory

import h5py
import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.engine.dataplane.bench import message

from repstream.dataplane.storing.columns import MAX_MEMBERS, is_usable, members_of, with_masks
from repstream.dataplane.storing.metadata import HeaderRows, Rows
from repstream.errors import MalformedMessage
from repstream.files.frame_file import FrameFile
from repstream.files.plan import FilePlan
from repstream.messages import array_1_0
from repstream.messages.array_attributes import AttributeReader, PlainHeader, read_fields
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


def rows_of(frames: list[Frame], *declared: tuple[str, str]) -> Rows:
    return HeaderRows(members_of(frames[0], declared=declared)).of(frames)


def extra_of(rows: Rows) -> list[tuple[int, str, str]]:
    """Number of the row, name and exact text of each extra value."""
    return [(int(x["image"]), x["name"].decode(), x["text"].decode()) for x in rows.extra]


def test_a_column_that_begins_with_a_whole_number_holds_all_that_follow() -> None:
    rows = rows_of([frame(i, pos=pos) for i, pos in enumerate([1, 1.5, 2, 2.5, -3])])
    assert rows.rows["pos"].tolist() == [1.0, 1.5, 2.0, 2.5, -3.0]
    assert len(rows.extra) == 0


def test_what_is_absent_is_not_a_number_or_masked() -> None:
    frames = [frame(0, a=1, b=2**60, c=True), frame(1), frame(2, a=3, b=4, c=False)]
    rows = rows_of(frames).rows
    assert math.isnan(rows["a"][1])
    assert rows["b"].tolist() == [2**60, 0, 4]
    assert rows["b_mask"].tolist() == rows["c_mask"].tolist() == [0, 1, 0]
    assert rows["c"].tolist() == [1, 0, 0]


@pytest.mark.parametrize(
    ("values", "column", "extra"),
    [
        ([1, 2**53, 2**53 + 1], [1.0, 2.0**53, math.nan], [(2, "a", "9007199254740993")]),
        ([1, 2**63, 2**64 - 1], [1.0, 2.0**63, math.nan], [(2, "a", "18446744073709551615")]),
        ([2**60, 2**63, 1.5], [2**60, 0, 0], [(1, "a", "9223372036854775808"), (2, "a", "1.5")]),
        ([2**63, -1, 7.0], [2**63, 0, 7], [(1, "a", "-1")]),
        ([True, 2, False], [1, 0, 0], [(1, "a", "2")]),
        ([0.5, True, 2], [0.5, math.nan, 2.0], [(1, "a", "true")]),
        ([0.5, 10**22, 1e300], [0.5, math.nan, 1e300], [(1, "a", "1" + "0" * 22)]),
    ],
)
def test_what_a_column_cannot_hold_is_kept_beside_it(
    values: list[float], column: list[float], extra: list[tuple[int, str, str]]
) -> None:
    rows = rows_of([frame(i, a=value) for i, value in enumerate(values)])
    assert str(rows.rows["a"].tolist()) == str(column)
    assert extra_of(rows) == extra


def test_an_attribute_that_begins_later_is_kept_from_its_first_value() -> None:
    frames = [frame(i, a=i, **({"late": i / 2, "more": True} if i > 1 else {})) for i in range(5)]
    rows = rows_of([*frames, array_1_0.decode(message(5, image_attributes={"a": 5}, beside=7))])
    assert sorted(extra_of(rows)) == [
        *[(2, "late", "1.0"), (2, "more", "true")],
        *[(3, "late", "1.5"), (3, "more", "true")],
        *[(4, "late", "2.0"), (4, "more", "true")],
        (5, "beside", "7"),
    ]
    assert rows.extra["value"][0] in (1.0, True)
    assert set(rows.extra["image_id"]) == {2, 3, 4, 5}


def test_columns_may_be_declared_before_their_first_value() -> None:
    frames = [frame(0), frame(1, pulse=2**64 - 1, pos=1, on=True), frame(2, pulse=3.0, pos=0.5)]
    rows = rows_of(frames, ("pulse", "uint64"), ("pos", "float64"), ("on", "bool"))
    assert rows.rows["pulse"].tolist() == [0, 2**64 - 1, 3]
    assert rows.rows["pulse_mask"].tolist() == [1, 0, 0]
    assert rows.rows["pos"][1:].tolist() == [1.0, 0.5]
    assert rows.rows["on_mask"].tolist() == [1, 0, 1]
    assert len(rows.extra) == 0


def test_formats_that_say_a_type_keep_it() -> None:
    header = array_1_0.gigafrost_header(3, (4, 5))
    gigafrost = array_1_0.decode([header, bytes(40)])
    typed = msgspec.structs.replace(frame(0), format="dimage-1.0", read_attributes=lambda: {"n": 5, "x": 0.5})
    kinds = {name: dtype.str for name, dtype in (*members_of(gigafrost), *members_of(typed))}
    assert kinds["image_number"] == kinds["time_stamp"] == kinds["n"] == "<i8"
    assert (kinds["image_is_complete"], kinds["x"]) == ("|u1", "<f8")


def test_what_no_file_can_keep_is_counted() -> None:
    headers = HeaderRows(members_of(frame(0, a=1)))
    beyond = msgspec.json.encode({"image_attributes": {"a": 1, "big": 0}}).replace(b":0", b":1" + b"0" * 30)
    frames = [frame(0, a=1), frame(1, a=1, **{"x\ny": 4, "long" * 20: 5}), frame(2, a=1)]
    frames[2] = msgspec.structs.replace(frames[2], parts=[beyond, b""])
    rows = headers.of(frames)
    assert (headers.lost, len(rows.extra)) == (3, 0)
    rows = headers.of([msgspec.structs.replace(frames[2], parts=[beyond.replace(b"0" * 30, b"e999"), b""])])
    assert (headers.lost, len(rows.extra)) == (4, 0)


def test_names_that_are_taken_or_unusable_are_no_columns() -> None:
    odd = {"image_id": 1, "status": 5, "": 1, "a\nb": 1, "long" * 20: 1, "fine": 1}
    assert [name for name, _ in members_of(frame(0, **odd))] == ["fine"]
    both = {"on": True, "on_mask": 5}
    assert [name for name, _ in members_of(frame(0, **both))] == ["on"]
    assert extra_of(rows_of([frame(0, **both)])) == [(0, "on_mask", "5")]


def test_the_number_of_members_is_bounded_and_the_others_are_kept() -> None:
    first = frame(0, **{f"m{i}": i for i in range(300)})
    assert len(members_of(first)) == MAX_MEMBERS
    assert len(extra_of(rows_of([first]))) == 300 - MAX_MEMBERS


def value_of(rows: Rows, number: int, name: str) -> object:
    """What a file says of an attribute of an image: its column, or else what is kept beside."""
    if name in rows.rows.dtype.names:
        value = rows.rows[name][number].item()
        if f"{name}_mask" in rows.rows.dtype.names:
            if not rows.rows[f"{name}_mask"][number]:
                return value
        elif not math.isnan(value):
            return value
    texts = [text for at, key, text in extra_of(rows) if (at, key) == (number, name)]
    return json.loads(texts[0]) if texts else None


@settings(max_examples=60)
@given(st.lists(ATTRIBUTES, min_size=1, max_size=6), st.integers(1, 6))
def test_no_number_is_lost_and_none_becomes_another(headers: list[dict[str, object]], first: int) -> None:
    frames = [frame(i, **attributes) for i, attributes in enumerate(headers)]
    columns = HeaderRows(members_of(frames[0]))
    batches = [batch for batch in (frames[:first], frames[first:]) if batch]
    lost = 0
    for batch in batches:
        rows = columns.of(batch)
        for number, one in enumerate(batch):
            for name, value in headers[one.frame_id].items():
                if name in ("image_id", "status") or not isinstance(value, int | float):
                    continue
                if not is_usable(name):
                    lost += 1
                else:
                    assert value_of(rows, number, name) == value
    assert columns.lost == lost


@settings(max_examples=30)
@given(st.lists(ATTRIBUTES, min_size=1, max_size=5), st.integers(0, 5))
def test_whatever_headers_hold_a_file_keeps_it(headers: list[dict[str, object]], first: int) -> None:
    frames = [frame(i, **attributes) for i, attributes in enumerate(headers)]
    columns = HeaderRows(members_of(frames[0]))
    with TemporaryDirectory() as folder:
        path = Path(folder) / "scan.h5"
        members = with_masks(members_of(frames[0]))
        file = FrameFile.create(FilePlan(path, "detector", (4, 5), np.dtype("<u2"), members))
        made = [columns.of(batch) for batch in (frames[:first], frames[first:]) if batch]
        for rows in made:
            file.append([frame.payloads[0] for frame in frames[: len(rows.rows)]], rows.rows, rows.extra)
        file.finish({})
        with h5py.File(path) as stored:
            assert stored["/detector/metadata"][:].tobytes() == b"".join(r.rows.tobytes() for r in made)
            extra = stored["/entry/instrument/detector/extra_values"][:]
        expected = np.concatenate([rows.extra for rows in made])
        if len(made) > 1:
            expected["image"][len(made[0].extra) :] += len(made[0].rows)
        assert extra.tolist() == expected.tolist()


@settings(max_examples=200)
@given(
    st.lists(
        st.tuples(
            st.dictionaries(st.sampled_from(["a", "b", "frame", "image_attributes", "é\n"]), ANYTHING),
            st.one_of(ANYTHING, st.dictionaries(st.sampled_from(["a", "b", "frame"]), ANYTHING)),
        ),
        min_size=2,
        max_size=2,
    ),
    st.lists(st.sampled_from(["a", "b", "frame", "image_attributes", "é\n", "never"]), unique=True),
)
def test_some_attributes_are_read_as_all_are(
    headers: list[tuple[dict[str, object], object]], names: list[str]
) -> None:
    first, second = (json.dumps({**beside, "image_attributes": inner}).encode() for beside, inner in headers)
    known = read_fields(first)
    read = AttributeReader(names, known.beside, known.within)
    values = read(second)
    found = read_fields(second)
    in_64_bits = {
        name: value
        for name, value in found.numbers.items()
        if value is not None and not (isinstance(value, int) and not -(2**63) <= value < 2**64)
    }
    assert in_64_bits == array_1_0.attributes(second)
    if values is None:
        return
    assert [(type(value), value) for value in values] == [
        (type(found.numbers.get(name)), found.numbers.get(name)) for name in names
    ]
    assert not found.numbers.keys() - set(names) - known.beside - known.within


@given(
    st.lists(
        st.tuples(
            st.dictionaries(st.sampled_from(["a", "b", "frame"]), ANYTHING),
            st.one_of(ANYTHING, st.dictionaries(st.sampled_from(["a", "b", "frame"]), ANYTHING)),
        ),
        min_size=1,
        max_size=4,
    ),
    st.lists(st.sampled_from(["a", "b", "frame", "image_attributes", "never"]), unique=True),
)
def test_many_headers_are_read_as_each_of_them_is(
    headers: list[tuple[dict[str, object], object]], names: list[str]
) -> None:
    some = [json.dumps({**beside, "image_attributes": inner}).encode() for beside, inner in headers]
    known = read_fields(some[0])
    read = AttributeReader(names, known.beside, known.within)
    columns, each = read.columns([memoryview(header) for header in some]), [read(header) for header in some]
    if columns is None:
        assert None in each
        return
    expected = [[values[number] for values in each if values] for number in range(len(names))]
    assert repr([list(values) for values in columns]) == repr(expected)
    assert len(columns) == len(names) and None not in each


@pytest.mark.parametrize("odd", [b"{}, {}", b'{"new": 1}', b'{"frame": NaN}', b"[]", b"", b"\xff"])
def test_one_odd_header_among_many_is_not_read_with_them(odd: bytes) -> None:
    read = AttributeReader(["frame"])
    assert read.columns([b"{}", b'{"frame": 1}']) == [[None, None]]
    assert read.columns([b"{}", odd]) is None


def plain(frame_id: int, more: str = "") -> Frame:
    header = f'{{"htype": "array-1.0", "shape": [4, 5], "type": "uint16", "frame": {frame_id}{more}}}'
    return array_1_0.decode([header.encode(), bytes(40)])


def test_headers_without_attributes_are_compared_until_one_differs() -> None:
    rows = HeaderRows(members_of(plain(1)))
    for first in (1, 3, 5):
        assert len(rows.of([plain(first), plain(first + 1)]).extra) == 0
    assert PlainHeader.of(plain(5).parts[0], 5) is not None
    for more in (', "a": 2', ', "image_attributes": {"a": 2}'):
        fresh = HeaderRows(members_of(plain(1)))
        for first in (1, 3):
            fresh.of([plain(first), plain(first + 1)])
        assert extra_of(fresh.of([plain(5), plain(6, more), plain(7)])) == [(1, "a", "2")]


@pytest.mark.parametrize(
    "header",
    [
        b'{"frame": 7, "frame": 7}',
        b'{"frame": 70}',
        b'{"frame": "7"}',
        b'{"other": 7}',
        b'{"f\\u0072ame": 7}',
    ],
)
def test_a_header_whose_number_is_not_written_as_usual_is_always_read(header: bytes) -> None:
    assert PlainHeader.of(header, 7) is None


def test_a_plain_header_is_that_of_its_own_number_only() -> None:
    known = PlainHeader.of(b'{"frame": 7, "type": "uint16"}', 7)
    assert known is not None
    same = [b'{"frame": 8, "type": "uint16"}', b'{"frame": 10, "type": "uint16"}']
    assert known.is_all(same, [8, 10])
    assert not known.is_all(same, [8, 11])
    assert not known.is_all([same[0], b'{"frame": 10, "type": "uint8"}'], [8, 10])


def test_a_header_with_a_further_field_is_read_whole() -> None:
    first = json.dumps({"frame": 1, "x": 1, "image_attributes": {"a": 1, "t": "text"}}).encode()
    fields = read_fields(first)
    read = AttributeReader(["x", "a"], fields.beside, fields.within)
    assert list(read(first) or ()) == [1, 1]
    assert read(first.replace(b'"x"', b'"y": 2, "x"')) is None
    assert read(first.replace(b'"a"', b'"y": 2, "a"')) is None


def test_a_header_that_is_no_object_is_refused() -> None:
    for header in (b"[1]", b"{", b"\xff", b'{"a": 1} x'):
        assert AttributeReader(["a"])(header) is None
        with pytest.raises(MalformedMessage, match="json"):
            read_fields(header)
