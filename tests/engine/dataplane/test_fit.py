"""Which frames fit into a file: one fact after another differs from the first frame's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from repstream.dataplane.writing.fit import Fit
from repstream.messages import array_1_0, formats
from repstream.messages.frame import Frame
from repstream.parameters.source import SourceConfig


def frame() -> Frame:
    decoded = formats.decode(array_1_0.encode(1, np.zeros((4, 6), "uint16")))
    assert isinstance(decoded, Frame)
    return decoded


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"shape": (6, 4)}, "shape"),
        ({"dtype": "int16"}, "shape"),
        ({"big_endian": True}, "shape"),
        ({"channels": ("image",)}, "shape"),
        ({"encoding": "bitshuffle_lz4"}, "encoding"),
        ({"payloads": (b"", b"")}, "parts"),
    ],
    ids=lambda given: next(iter(given)) if isinstance(given, dict) else "",
)
def test_what_differs_from_the_first_does_not_fit(changes: dict[str, Any], reason: str) -> None:
    fit, first = Fit(SourceConfig()), frame()
    assert fit.unfit(first) == ""
    other = replace(first, **changes)
    assert fit.unfit(other) == reason
    assert fit.all_like_the_first([first, first])
    assert not fit.all_like_the_first([first, other, first])
    assert fit.unfit(first) == ""


def test_nothing_is_like_a_first_one_that_has_not_come() -> None:
    assert not Fit(SourceConfig()).all_like_the_first([frame()])


@pytest.mark.parametrize(
    ("compresses", "encodings", "reason"),
    [
        (True, ("", "bitshuffle_lz4"), ""),
        (True, ("bitshuffle_lz4", ""), ""),
        (True, ("", "bitshuffle_zstd"), "encoding"),
        (True, ("bitshuffle_zstd", ""), "encoding"),
        (True, ("bitshuffle_zstd", "bitshuffle_zstd"), ""),
        (False, ("", "bitshuffle_lz4"), "encoding"),
        (False, ("bitshuffle_lz4", ""), "encoding"),
    ],
)
def test_raw_images_and_those_that_come_as_raw_ones_are_stored_share_a_file(
    compresses: bool, encodings: tuple[str, str], reason: str
) -> None:
    fit, first, second = Fit(SourceConfig(), compresses), *(replace(frame(), encoding=e) for e in encodings)
    assert fit.unfit(first) == ""
    assert fit.unfit(second) == reason
