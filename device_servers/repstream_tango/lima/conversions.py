"""The engine's values in Lima's words, and back. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from repstream.parameters.facts import Value
from repstream_tango.lima.rows import Changes, Live, Read, Shown

WRITER = "writers.1."
KEPT = "facade.lima"

FORMATS = {"HDF5": "none", "HDF5BS": "bitshuffle_lz4"}
POLICIES = ("ABORT", "OVERWRITE")
PIXELS = {
    "uint8": ("Bpp8", 0, 1),
    "int8": ("Bpp8S", 1, 1),
    "uint16": ("Bpp16", 0, 2),
    "int16": ("Bpp16S", 1, 2),
    "uint32": ("Bpp32", 0, 4),
    "int32": ("Bpp32S", 1, 4),
    "float32": ("Bpp32F", 1, 4),
}
"""Lima's name, whether it has a sign, and its bytes, by numpy's name; Lima has no others."""

_TEMPLATE = re.compile(r"%s%s(?P<index>.*%[-+ 0#]*\d*(?:\.\d+)?[di])?(?P<suffix>.*)", re.DOTALL)


def same(key: str) -> Live:
    """A parameter as it is."""
    return Live((key,), lambda read: read(key), lambda value, _: {key: _value(value)})


def shown(key: str) -> Live:
    """A parameter to look at."""
    return Live((key,), lambda read: read(key))


def _value(value: Shown) -> Value:
    if isinstance(value, tuple):
        raise ValueError(f"must be one value, not {len(value)}")
    return value


def template(read: Read) -> tuple[str, str]:
    """The format of the number and the suffix, of the template that the writer has."""
    return _parts(str(read(f"{WRITER}file_template") or ""))


def _parts(text: str) -> tuple[str, str]:
    found = _TEMPLATE.fullmatch(text)
    return (found["index"] or "", found["suffix"]) if found else ("", "")


def number_after(names: Iterable[str], prefix: str, index: str, suffix: str) -> int:
    """The number after those of the files that are named so; 0 where there are none."""
    head, number, tail = re.split(r"(%[^di]*[di])", index, maxsplit=1) if "%" in index else (index, "", "")
    if not number:
        return 0
    pattern = re.compile(f"{re.escape(prefix + head)}([0-9]+){re.escape(tail + suffix)}")
    found = (match[1] for match in map(pattern.fullmatch, names) if match)
    return max(map(int, found), default=-1) + 1


def _templated(index: str, suffix: str) -> Changes:
    made = f"%s%s{index}{suffix}"
    if _parts(made) != (index, suffix):
        raise ValueError(
            f"the number's format must end with it, such as %04d, and the suffix must hold none; {index!r}"
            f" and {suffix!r} cannot be told apart in {made!r}"
        )
    return {f"{WRITER}file_template": made}


INDEX_FORMAT = Live(
    (f"{WRITER}file_template",),
    lambda read: template(read)[0],
    lambda value, read: _templated(str(value), template(read)[1]),
)
SUFFIX = Live(
    (f"{WRITER}file_template",),
    lambda read: template(read)[1],
    lambda value, read: _templated(template(read)[0], str(value)),
)

DIRECTORY = Live(
    (f"{WRITER}folder",),
    lambda read: read(f"{WRITER}folder"),
    # As Lima: the last folder is created where it is missing, those above it are not.
    lambda value, _: {f"{WRITER}folder": str(value).rstrip("/") or "/", f"{WRITER}create_directory": -1},
)

FORMAT = Live(
    (f"{WRITER}compression",),
    lambda read: next(
        (theirs for theirs, ours in FORMATS.items() if ours == read(f"{WRITER}compression")), None
    ),
    lambda value, _: {f"{WRITER}compression": FORMATS[str(value)]},
)

POLICY = Live(
    (f"{WRITER}overwrite",),
    lambda read: POLICIES[bool(read(f"{WRITER}overwrite"))],
    lambda value, _: {f"{WRITER}overwrite": value == POLICIES[1]},
)


def _headers(read: Read) -> tuple[str, ...]:
    found: Mapping[str, Any] = json.loads(str(read(f"{WRITER}user_metadata") or "") or "{}")
    return tuple(f"{key}={v if isinstance(v, str) else json.dumps(v)}" for key, v in found.items())


def _with_headers(value: Shown, _: Read) -> Changes:
    entries = value if isinstance(value, tuple) else (str(value),)
    found = {}
    for entry in map(str, entries):
        key, equals, text = entry.partition("=")
        if not equals:
            raise ValueError(f"must have entries such as sample=A1, not {entry!r}")
        if key in found:
            raise ValueError(f"must have one entry of each name, not two of {key!r}")
        found[key] = text
    return {f"{WRITER}user_metadata": json.dumps(found) if found else ""}


COMMON_HEADER = Live((f"{WRITER}user_metadata",), _headers, _with_headers)


def _length(axis: str, read: Read) -> int:
    return int(read(f"source.image_{axis}") or read(f"source.seen_{axis}") or 0)


def _pixel(read: Read) -> tuple[str, int, int] | None:
    demanded = read("source.image_type")
    return PIXELS.get(str(read("source.seen_type") if demanded in (None, "any") else demanded))


_SIZES = tuple(f"source.{kind}_{axis}" for axis in ("width", "height") for kind in ("image", "seen"))
_TYPES = ("source.image_type", "source.seen_type")

WIDTH = Live(_SIZES, lambda read: _length("width", read))
HEIGHT = Live(_SIZES, lambda read: _length("height", read))
LARGEST = Live(_SIZES, lambda read: (_length("width", read), _length("height", read)))


def _image_sizes(read: Read) -> Shown:
    _, signed, depth = _pixel(read) or ("", 0, 0)
    return signed, depth, _length("width", read), _length("height", read)


SIZES = Live((*_SIZES, *_TYPES), _image_sizes)
IMAGE_TYPE = Live(_TYPES, lambda read: (_pixel(read) or (None,))[0])


def _full(read: Read) -> tuple[int, ...]:
    return 0, 0, _length("width", read), _length("height", read)


def _only_full(value: Shown, read: Read) -> Changes:
    if value not in ((0, 0, 0, 0), _full(read)):
        raise ValueError(f"must be {_full(read)}, the whole image: no part of it can be read out")
    return {}


ROI = Live(_SIZES, _full, _only_full)

_PIXEL_SIZES = tuple(f"{WRITER}pixel_size_{axis}" for axis in "xy")
PIXEL_SIZE = Live(_PIXEL_SIZES, lambda read: tuple(float(read(key) or 0.0) * 1e-6 for key in _PIXEL_SIZES))
"""In m."""

VIDEO_ACTIVE = Live(("pictures.1.state",), lambda read: read("pictures.1.state") == "live")
VIDEO_COUNTER = Live(("pictures.1.image_id",), lambda read: read("pictures.1.image_id"))
