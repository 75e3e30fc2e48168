"""Whatever arrives: a message decodes, or one documented error is raised, and nothing else happens."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import cbor2
from hypothesis import given
from hypothesis import strategies as st
from test_recorded import REASONS, read_all
from vectors import load

from repstream.errors import MalformedMessage
from repstream.messages import bsread, formats

FAMILIES = (
    "array-1.0",
    "bsread",
    "chunk-1.0",
    "dectris_v1",
    "dectris_v2",
    "gigafrost",
    "pilatus-1.0",
    "raw-1.0",
    "malformed_bsread",
    "malformed_dectris_v1",
    "malformed_dectris_v2",
)
MESSAGES = {
    f"{family}/{name}/{number}": parts
    for family in FAMILIES
    for name, vector in load(family).items()
    for number, parts in vector.messages.items()
    if sum(map(len, parts)) < 50_000
}
INTERESTING = [b"", b"\0", b"{}", b"[]", b"null", b"\xff" * 8, b"\x7f" + b"\xff" * 7, b"\0" * 12, b"9" * 5000]


@st.composite
def damaged(draw: st.DrawFn) -> list[bytes]:
    """A recorded message after a few accidents."""
    parts = list(MESSAGES[draw(st.sampled_from(sorted(MESSAGES)))])
    for _ in range(draw(st.integers(1, 4))):
        if parts:
            i = draw(st.sampled_from(range(len(parts))))
            parts = draw(st.sampled_from(ACCIDENTS))(draw, parts, i)
    return parts


def flip(draw: st.DrawFn, parts: list[bytes], i: int) -> list[bytes]:
    part = bytearray(parts[i] or b"x")
    part[draw(st.integers(0, len(part) - 1))] ^= 1 << draw(st.integers(0, 7))
    return [*parts[:i], bytes(part), *parts[i + 1 :]]


def overwrite(draw: st.DrawFn, parts: list[bytes], i: int) -> list[bytes]:
    part, at = parts[i], draw(st.integers(0, len(parts[i])))
    new = draw(st.sampled_from(INTERESTING) | st.binary(max_size=16))
    return [*parts[:i], part[:at] + new + part[at + len(new) :], *parts[i + 1 :]]


def insert(draw: st.DrawFn, parts: list[bytes], i: int) -> list[bytes]:
    part, at = parts[i], draw(st.integers(0, len(parts[i])))
    new = draw(st.sampled_from(INTERESTING) | st.binary(max_size=16))
    return [*parts[:i], part[:at] + new + part[at:], *parts[i + 1 :]]


def cut(draw: st.DrawFn, parts: list[bytes], i: int) -> list[bytes]:
    return [*parts[:i], parts[i][: draw(st.integers(0, len(parts[i])))], *parts[i + 1 :]]


def replace(draw: st.DrawFn, parts: list[bytes], i: int) -> list[bytes]:
    return [*parts[:i], draw(st.sampled_from(INTERESTING) | st.binary(max_size=64)), *parts[i + 1 :]]


def drop(_draw: st.DrawFn, parts: list[bytes], i: int) -> list[bytes]:
    return [*parts[:i], *parts[i + 1 :]]


def double(_draw: st.DrawFn, parts: list[bytes], i: int) -> list[bytes]:
    return [*parts[: i + 1], *parts[i:]]


VALUES = [
    None,
    True,
    -1,
    0,
    1.5,
    1e400,
    2**63,
    2**64,
    10**400,
    "",
    "x",
    [],
    {},
    [1],
    [0],
    [-1],
    [2**62, 4],
    [1] * 65,
]


def field(draw: st.DrawFn, parts: list[bytes], i: int) -> list[bytes]:
    """Another value for one field of a JSON object, or of the objects in it."""
    try:
        whole = json.loads(parts[i])
    except ValueError:
        return flip(draw, parts, i)
    inner = whole
    while isinstance(inner, dict | list) and inner:
        key = draw(st.sampled_from(list(inner) if isinstance(inner, dict) else range(len(inner))))
        if not isinstance(inner[key], dict | list) or draw(st.booleans()):
            inner[key] = draw(st.sampled_from(VALUES))
            break
        inner = inner[key]
    return [*parts[:i], json.dumps(whole).encode(), *parts[i + 1 :]]


ACCIDENTS: list[Any] = [flip, field, field, overwrite, insert, cut, replace, drop, double]

MEMORY = bsread.Memory()


def outcome(parts: list[bytes]) -> str:
    """What came of decoding it in every way: "" or the reasons."""
    reasons = []
    for decode in (
        lambda parts: read_all(parts, MEMORY),
        formats.FrameDecoder(channel="image", threshold="threshold_1").decode,
        decode_frame,
    ):
        try:
            decode(parts)
        except MalformedMessage as error:
            assert error.reason in REASONS
            assert len(error.detail) < 1500
            reasons.append(error.reason)
    return " ".join(reasons)


def decode_frame(parts: list[bytes]) -> None:
    frame = formats.decode(parts)
    formats.attributes(frame)


@given(parts=damaged())
def test_damaged_messages_decode_or_are_refused(parts: list[bytes]) -> None:
    outcome(parts)


@given(parts=st.lists(st.binary(max_size=100) | st.sampled_from(INTERESTING), max_size=6))
def test_random_parts_decode_or_are_refused(parts: list[bytes]) -> None:
    outcome(parts)


HEADS = sorted({parts[0] for parts in MESSAGES.values() if len(parts[0]) < 2000})


@given(head=st.sampled_from(HEADS), rest=st.lists(st.binary(max_size=100), max_size=8))
def test_random_parts_after_a_header_decode_or_are_refused(head: bytes, rest: list[bytes]) -> None:
    outcome([head, *rest])


NUMBERS = st.integers() | st.floats() | st.booleans() | st.none()
TAGS = st.sampled_from(
    [0, 1, 2, 3, 4, 24, 28, 29, 30, 36, 37, 40, 64, 69, 76, 85, 100, 258, 260, 1040, 55799, 56500]
)
CBOR = st.recursive(
    NUMBERS | st.binary(max_size=40) | st.text(max_size=8) | st.sampled_from(["bslz4", "lz4", 1, 2, 20]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=3), inner, max_size=3)
        | st.builds(cbor2.CBORTag, TAGS, inner | st.lists(inner, min_size=2, max_size=3))
    ),
    max_leaves=12,
)


@given(kind=st.sampled_from(["start", "image", "end"]), data=CBOR, more=CBOR)
def test_any_cbor_is_decoded_or_refused(kind: str, data: Any, more: Any) -> None:
    fields = {"type": kind, "image_id": 1, "series_id": 1, "data": {"threshold_1": data}, "user_data": more}
    outcome([cbor2.dumps(fields)])


def test_every_truncation_of_a_short_message_is_decoded_or_refused() -> None:
    for name in ("bsread/missing_value/0", "dectris_v1/dimage_uint8_bs8_lz4/0", "dectris_v2/start_basic/0"):
        parts = MESSAGES[name]
        for i, part in enumerate(parts):
            for size in range(0, len(part), max(1, len(part) // 100)):
                outcome([*parts[:i], part[:size], *parts[i + 1 :]])


@given(parts=damaged())
def test_damaged_messages_take_no_more_memory_than_they_can_fill(parts: list[bytes]) -> None:
    tracemalloc.start()
    try:
        outcome(parts)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 20_000_000 + 600 * sum(map(len, parts))
