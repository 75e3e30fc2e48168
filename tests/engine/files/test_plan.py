"""What stands for metadata of an image whose file is gone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.engine.files.samples import plan

from repstream.files.plan import LOST, lost, lost_row


@pytest.mark.parametrize(
    ("kind", "value"),
    [("<u2", 2**16 - 1), (">u8", 2**64 - 1), ("i1", -1), ("<i8", -1), ("?", True)],
)
def test_a_lost_number_is_the_largest_unsigned_or_minus_one_or_true(kind: str, value: int) -> None:
    found = lost(np.dtype(kind))
    assert found.dtype == np.dtype(kind)
    assert found.shape == ()
    assert found.item() == value


@pytest.mark.parametrize("kind", ["<f4", ">f8"])
def test_a_lost_real_number_is_not_a_number(kind: str) -> None:
    found = lost(np.dtype(kind))
    assert found.dtype == np.dtype(kind)
    assert np.isnan(found.item())


def test_of_a_lost_row_every_member_is_lost_and_the_status_says_so() -> None:
    row = lost_row(plan(Path("/scan.h5")).row_dtype)
    assert row.dtype == plan(Path("/scan.h5")).row_dtype
    found = [row[name].item() for name in ("image_id", "status", "good")]
    assert found == [2**64 - 1, LOST, True]
    assert np.isnan(row["exposure"])
