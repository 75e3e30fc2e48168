"""The page of the file format against real files of every kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from docs import file_format
from repstream.files import FilePlan, FrameFile, Placeholder
from repstream.files.interleaved import InterleavedMaster
from repstream.files.row_file import RowFile
from repstream.files.series import FileSeries

DONE = {"outcome": "completed", "stop_time": 1.7e9, "written": 1}


def one_image(of: FilePlan) -> tuple[list[bytes], np.ndarray]:  # type: ignore[type-arg]
    return [bytes(of.image_nbytes)] * of.datasets, np.zeros(1, of.row_dtype)


def waiting(of: FilePlan) -> Placeholder:
    return Placeholder.create(
        of.path,
        of.detector_name,
        of.attributes,
        user_metadata=of.user_metadata,
        experiment=of.experiment,
    )


def file(folder: Path) -> Path:
    of = replace(file_format.PLAN, path=folder / "f.h5")
    made = FrameFile.create(of)
    made.append(*one_image(of))
    made.finish(DONE)
    return of.path


def part(folder: Path) -> Path:
    of = replace(file_format.PART, path=folder / "p.h5")
    made = FrameFile.create(of)
    made.append(*one_image(of))
    made.finish(DONE)
    return of.path


def empty(folder: Path) -> Path:
    of = replace(file_format.PLAN, path=folder / "w.h5")
    waiting(of).finish(DONE)
    return of.path


def series(folder: Path) -> Path:
    of = replace(file_format.PLAN, path=folder / "s.h5")
    made = FileSeries(of, 1000, waiting(of).state)
    made.append(*one_image(of))
    made.finish(DONE)
    return of.path


def metadata(folder: Path) -> Path:
    of = replace(file_format.META, path=folder / "r.h5")
    made = RowFile(of, waiting(of).state)
    made.append(one_image(of)[1])
    made.finish(DONE)
    return of.path


def in_turn(folder: Path) -> Path:
    of, meta = (replace(file_format.PLAN, path=folder / name) for name in ("t.h5", "m.h5"))
    rows = RowFile(meta, waiting(meta).state)
    # Of many images, which have the turns as a dataset of their own.
    many = bytes(2000 * of.row_dtype.itemsize)
    InterleavedMaster(of, ["p0.h5", "p1.h5"], waiting(of).state, rows, many).finish(DONE)
    return of.path


MAKERS: dict[str, Callable[[Path], Path]] = {
    "F": file,
    "W": empty,
    "P": part,
    "S": series,
    "T": in_turn,
    "R": metadata,
}


def found_in(group: h5py.Group, above: str = "") -> Iterator[tuple[str, str, str]]:
    """(path, type, unit) of everything below a group, links followed."""
    for name in group:
        path, link = f"{above}/{name}", group.get(name, getlink=True)
        if isinstance(link, h5py.ExternalLink):
            yield path, "link to the part", ""
            continue
        item = group[name]
        if isinstance(item, h5py.Group):
            yield path, str(item.attrs.get("NX_class", "group")), ""
            yield from found_in(item, path)
        else:
            kind = "compound" if item.dtype.names else "text" if item.dtype.kind == "S" else item.dtype.name
            yield path, kind, str(item.attrs.get("units", ""))


@pytest.mark.parametrize("letter", MAKERS)
def test_a_file_is_what_the_page_says(tmp_path: Path, letter: str) -> None:
    said = {
        (entry.path, entry.type.partition(" = ")[0], entry.unit)
        for entry in file_format.entries()
        if letter in entry.kinds
    }
    with h5py.File(MAKERS[letter](tmp_path)) as read:
        found = set(found_in(read))
    extra = {entry for entry in found if entry[0].endswith("_in_turn")}
    assert found - extra == said
    assert bool(extra) == (letter == "T")
