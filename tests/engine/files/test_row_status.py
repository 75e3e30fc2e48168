"""The status of metadata rows in the words of the standard DAQ."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from tests.engine.files.samples import payload, plan

from repstream.files import FrameFile
from repstream.files.nexus import nodes, trees
from repstream.files.plan import GOOD, LOST, MISSING, lost_row
from repstream.files.row_status import STATUS_WORDS, STD_DAQ, put_ours, put_std_daq
from repstream.files.verify import verify

WORDS = {STATUS_WORDS: STD_DAQ}


def rows(*members: tuple[str, str], status: list[int], **columns: list[int]) -> np.ndarray:
    found = np.zeros(len(status), [("image_id", "<u8"), ("status", "<u8"), *members])
    for name, values in {"status": status, **columns}.items():
        found[name] = values
    return found


def test_an_image_is_good_where_nobody_said_anything() -> None:
    found = rows(status=[GOOD, MISSING])
    put_std_daq(found)
    assert found["status"].tolist() == [1, 0]
    put_ours(found)
    assert found["status"].tolist() == [GOOD, MISSING]


def test_what_the_ring_buffer_said_counts() -> None:
    members = (("image_status", "<u8"), ("image_status_mask", "u1"))
    found = rows(
        *members, status=[0, 0, 0, 0, 1], image_status=[1, 2, 3, 2, 2], image_status_mask=[0, 0, 0, 1, 0]
    )
    put_std_daq(found)
    assert found["status"].tolist() == [1, 2, 3, 1, 0]


@pytest.mark.parametrize(("masked", "wanted"), [([0, 0, 1], [1, 2, 1]), ([1, 1, 1], [1, 1, 1])])
def test_an_image_that_is_not_complete_misses_packets(masked: list[int], wanted: list[int]) -> None:
    members = (("image_is_complete", "u1"), ("image_is_complete_mask", "u1"))
    found = rows(*members, status=[0, 0, 0], image_is_complete=[1, 0, 0], image_is_complete_mask=masked)
    put_std_daq(found)
    assert found["status"].tolist() == wanted


def test_a_row_that_is_gone_is_known_in_both() -> None:
    found = rows(status=[2**64 - 1])
    put_ours(found)
    assert found["status"].tolist() == [LOST] == [int(lost_row(found.dtype)["status"])]


@pytest.mark.parametrize(("facts", "status"), [({}, LOST), (WORDS, 2**64 - 1)])
def test_a_master_shows_no_word_of_the_standard_daq_for_a_file_that_is_gone(
    facts: dict[str, str], status: int
) -> None:
    of = plan(Path("/data/a.h5"), attributes=facts)
    tree = trees.interleaved_tree(of, ["a0.h5", "a1.h5"], "aMeta.h5", 3, final=True)
    rows = [node for node in tree.values() if isinstance(node, nodes.Virtual) and node.dtype.names]
    assert [int(node.lost["status"]) for node in rows] == [status] * len(rows)
    assert rows


def test_verify_reads_them(tmp_path: Path) -> None:
    of = plan(tmp_path / "a.h5", attributes=WORDS)
    file = FrameFile.create(of)
    table = np.zeros(4, of.row_dtype)
    table["image_id"], table["status"] = range(4), [GOOD, GOOD, MISSING, GOOD]
    put_std_daq(table)
    file.append([payload(of, 0), payload(of, 1), None, payload(of, 3)], table)
    file.finish({"outcome": "completed", "written": 3})
    found = verify(of.path)
    assert (found.images, found.blank, found.damaged) == (4, 1, [])
    with h5py.File(of.path) as read:
        assert read["/det/metadata"]["status"].tolist() == [1, 1, 0, 1]
