"""Messages of every format with the extremes of their fields, and with parts that do not fit."""

from __future__ import annotations

import json
import math
import random
import struct
from collections.abc import Callable
from typing import Any

import cbor2
import numpy as np

from repstream.messages import array_1_0, bsread, chunk_1_0, dectris_v1, pilatus_1_0, raw_1_0
from repstream.messages.pixels import packed

VALUES: tuple[Any, ...] = (
    0,
    1,
    -1,
    2**31,
    2**53 + 1,
    2**63 - 1,
    2**63,
    2**64 - 1,
    2**64,
    -(2**63),
    10**400,
    0.5,
    1e308,
    math.inf,
    -math.inf,
    math.nan,
    "",
    "\udcff",
    "x" * 300,
    None,
    True,
    [],
    [0, 0],
    [2**64 - 1, 1],
    [1, 4, 5],
    {},
    {"a": {"b": math.nan}},
)
IDS = (0, 1, 2**63, 2**64 - 2, 2**64 - 1)
IMAGE = np.arange(20, dtype="uint16").reshape(4, 5)

Dice = random.Random
Json = Callable[[Any], bytes]


def _spoilt(fields: Any, dice: Dice, depth: int = 0) -> Any:
    """The fields with some of them replaced, left out or added."""
    if isinstance(fields, dict) and depth < 3:
        found = {name: _spoilt(value, dice, depth + 1) for name, value in fields.items()}
        found = {name: value for name, value in found.items() if dice.random() > 0.02}
        return found | ({"extra": dice.choice(VALUES)} if dice.random() < 0.2 else {})
    if isinstance(fields, list) and depth < 3 and dice.random() > 0.1:
        return [_spoilt(value, dice, depth + 1) for value in fields]
    return dice.choice(VALUES) if dice.random() < 0.1 else fields


def _json(part: Any, dice: Dice) -> bytes:
    """A JSON part spoilt, with frame ids that jump to and fro."""
    fields = json.loads(bytes(part))
    for name in ("frame", "pulse_id", "series"):
        if name in fields:
            fields[name] = dice.choice(IDS)
    return json.dumps(_spoilt(fields, dice)).encode()


def _array(dice: Dice) -> list[bytes]:
    header = (
        array_1_0.gigafrost_header(0, IMAGE.shape) if dice.random() < 0.5 else array_1_0.encode(0, IMAGE)[0]
    )
    return [_json(header, dice), IMAGE.tobytes()]


def _chunk(dice: Dice) -> list[bytes]:
    header = {"htype": chunk_1_0.HTYPE, "shape": [5, 4], "type": "uint16", "frame": 0, "energy": 1.5}
    return [_json(json.dumps(header).encode(), dice), IMAGE.tobytes()]


def _bsread(dice: Dice) -> list[bytes]:
    values: dict[str, Any] = {"image": IMAGE, "x": 1.5, "n": 7, "text": "a", "line": np.arange(3.0)}
    channels = [bsread.describe(name, value, dice.choice(["none", "lz4"])) for name, value in values.items()]
    parts = [bytes(part) for part in bsread.encode(1, channels, list(values.values()))]
    parts[0] = _json(parts[0], dice)
    if dice.random() < 0.5:
        parts[1] = _json(parts[1], dice)
    for i in range(3, len(parts), 2):
        parts[i] = struct.pack("<QQ", dice.choice(IDS), dice.choice(IDS))
    return parts


def _v1(dice: Dice) -> list[bytes]:
    kind = dice.randrange(3)
    if kind == 0:
        parts = dectris_v1.encode_start(1, {"nimages": 3, "wavelength": 1.0, "deep": {"a": [1, 2]}})
    elif kind == 1:
        encoding: Any = dice.choice(["", "lz4", "bitshuffle_lz4"])
        parts = dectris_v1.encode_image(1, 1, packed(IMAGE, encoding))
    else:
        parts = dectris_v1.encode_end(1)
    return [_json(part, dice) if bytes(part)[:1] == b"{" else bytes(part) for part in parts]


def _v2(dice: Dice) -> list[bytes]:
    data = cbor2.CBORTag(40, [[4, 5], cbor2.CBORTag(69, IMAGE.tobytes())])
    times = {name: [1, 10**9] for name in ("start_time", "stop_time", "real_time")}
    fields: dict[str, Any] = {
        "series_id": dice.choice(IDS),
        "series_unique_id": "a",
        "image_id": dice.choice(IDS),
        **times,
        "user_data": {"a": [1, {"b": 2}]},
        "series_date": cbor2.CBORTag(
            dice.choice([0, 1, 2, 5, 30, 37, 9999]), dice.choice(["x", 1, b"a", [1, 2]])
        ),
        "data": {"threshold_1": data},
    }
    spoilt = _without_surrogates(_spoilt({**fields, "data": {}}, dice))
    whole = {
        "type": dice.choice(["start", "image", "image", "image", "end", "status"]),
        "data": fields["data"],
    }
    return [cbor2.dumps(spoilt | whole)]


def _without_surrogates(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_surrogates(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_without_surrogates(item) for item in value]
    return value.encode(errors="replace").decode() if isinstance(value, str) else value


def _raw(dice: Dice) -> list[bytes]:
    parts = dice.choice([raw_1_0.encode([b"a"], x=1), pilatus_1_0.encode("a.cbf", "/", b"cbf")])
    return [_json(parts[0], dice), *map(bytes, parts[1:])]


FORMATS = (_array, _array, _chunk, _bsread, _v1, _v2, _raw)


def message(dice: Dice) -> list[bytes]:
    """One message; sometimes a part is missing, empty or too long."""
    parts = dice.choice(FORMATS)(dice)
    damage = dice.random()
    if damage < 0.03:
        return parts[:-1] or [b""]
    if damage < 0.06:
        return [*parts[:-1], parts[-1] + b"x"]
    if damage < 0.08:
        return [b"junk", *parts[1:]]
    return parts
