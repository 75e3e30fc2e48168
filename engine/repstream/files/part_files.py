"""The files of writers that took images in turn, shown as one.

Image i of an acquisition is number i // N of file i % N: ``scan0.h5``, ``scan1.h5`` … and, where a
writer of metadata ran, ``scanMeta.h5`` with one row an image.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.lib import recfunctions
from numpy.typing import NDArray

from repstream.errors import StorageError
from repstream.files import hdf5
from repstream.files.confinement import check_confined
from repstream.files.nexus import nodes
from repstream.files.paths import check_target
from repstream.files.plan import lost
from repstream.files.publish import close_stored, publish
from repstream.files.reader import IMAGES, ROWS, open_file

SHOWN_IMAGES, SHOWN_ROWS = "/interleaved_data", "/interleaved_metadata"
"""Where readers of the standard DAQ's virtual datasets look."""

_ID = "image_id"


@dataclass(frozen=True, slots=True)
class Interleaved:
    """What was made: how many images are shown, of which files, how many images have no turn any more."""

    path: Path
    files: tuple[str, ...]
    count: int
    left_over: int


@dataclass(frozen=True, slots=True)
class Part:
    """One of the files: how many images of which kind it has, under which group, and their metadata."""

    path: Path
    group: str
    count: int
    item_shape: tuple[int, ...]
    dtype: np.dtype[Any]
    rows: NDArray[Any]


def interleave(
    folder: Path, prefix: str, output: Path, roots: Sequence[Path], user_id: int = 0
) -> Interleaved:
    """Make `output`, a file of virtual datasets over ``<prefix>0.h5``, ``<prefix>1.h5`` … in `folder`.

    It lies in the same folder, and shows the images up to the first that is missing in its file. Raises
    `Refused` where `output` may not be made, StorageError where the files do not belong together.
    """
    target = check_target(output, roots, user_id=user_id)
    if target.parent != folder.resolve():
        raise StorageError(f"{target} must lie beside the files that it shows, in {folder}")
    parts = [part_at(path, roots) for path in _named(folder, prefix)]
    first = parts[0]
    check_alike(parts)
    count = min(part.count * len(parts) + number for number, part in enumerate(parts))
    if not count:
        raise StorageError(f"{first.path} has no image")
    rows = _with_meta(_in_turn(parts, count), _beside(folder / f"{prefix}Meta.h5", first.group, roots))
    files = tuple(part.path.name for part in parts)
    store(target, shown_tree(files, first, count, rows), user_id)
    return Interleaved(target, files, count, sum(part.count for part in parts) - count)


def check_alike(parts: Sequence[Part]) -> None:
    """Raise StorageError where the images of two files differ in kind."""
    first = parts[0]
    for part in parts[1:]:
        for fact in ("group", "item_shape", "dtype"):
            ours, theirs = getattr(first, fact), getattr(part, fact)
            if ours != theirs:
                raise StorageError(f"{part.path.name} and {first.path.name} differ: {theirs} and {ours}")


def store(target: Path, tree: dict[str, nodes.Node], user_id: int = 0) -> None:
    """Make the file `target`, whole and on the disk; StorageError where it is there already."""
    close_stored(publish(target, hdf5.build(tree).data, lambda: False, user_id), target)


def _named(folder: Path, prefix: str) -> list[Path]:
    pattern = re.compile(re.escape(prefix) + r"([0-9]{1,4})\.h5")
    try:
        names = sorted(entry.name for entry in folder.iterdir())
    except OSError as error:
        raise StorageError(f"{folder}: {error.strerror}") from error
    found = {int(match[1]): folder / match[0] for name in names if (match := pattern.fullmatch(name))}
    if gone := [number for number in range(max(found, default=0) + 1) if number not in found]:
        raise StorageError(f"{folder / prefix}{gone[0]}.h5 does not exist; the files count from 0")
    return [found[number] for number in range(len(found))]


def part_at(path: Path, roots: Sequence[Path]) -> Part:
    """What `path` has. Raises StorageError where it cannot be read, or leads out of the folders `roots`."""
    with _opened(path, roots) as file:
        for name in file:
            group = _own(file, name)
            images = _own(group, "data") if isinstance(group, h5py.Group) else None
            if isinstance(images, h5py.Dataset) and images.ndim == 3 and not name.startswith("entry"):
                check_confined(file, f"{name}/metadata", roots)
                rows = _own(group, "metadata")
                read = rows[:] if isinstance(rows, h5py.Dataset) and rows.dtype.names else np.zeros(0, [])
                return Part(path, name, len(images), images.shape[1:], images.dtype, read)
    raise StorageError(f"{path} has no images: a group of the detector's name with the dataset 'data'")


def _beside(path: Path, group: str, roots: Sequence[Path]) -> NDArray[Any] | None:
    """The rows of the file with the metadata, None where there is none."""
    if not path.exists():
        return None
    with _opened(path, roots) as file:
        check_confined(file, f"{group}/metadata", roots)
        rows = file.get(f"{group}/metadata")
        if isinstance(rows, h5py.Dataset) and _ID in (rows.dtype.names or ()):
            return rows[:]  # type: ignore[no-any-return]
    raise StorageError(f"{path} has no metadata with {_ID!r} under /{group}/metadata")


def _opened(path: Path, roots: Sequence[Path]) -> h5py.File:
    real = path.resolve()
    if not any(real.is_relative_to(root.resolve()) for root in roots):
        raise StorageError(f"{path} leads to {real}, which is not below an allowed folder")
    return open_file(path)


def _own(group: h5py.Group, name: str) -> h5py.HLObject | None:
    """A member that lies in the file itself."""
    link = group.get(name, getlink=True)
    return group[name] if isinstance(link, h5py.HardLink) else None


def _in_turn(parts: Sequence[Part], count: int) -> NDArray[Any]:
    """The rows of the images in order; without fields where a file has none."""
    whole = min(parts, key=lambda part: len(part.rows.dtype.names or ())).rows.dtype
    rows = np.zeros(count, whole)
    for number, part in enumerate(parts):
        for name in whole.names or ():
            theirs = part.rows[name][: len(rows[number :: len(parts)])]
            rows[name][number :: len(parts)][: len(theirs)] = theirs
    return rows


def _with_meta(rows: NDArray[Any], meta: NDArray[Any] | None) -> NDArray[Any]:
    """The rows with the fields that the file with the metadata has beside, found by the image's id."""
    names = rows.dtype.names or ()
    if meta is None or _ID not in names:
        return rows
    added = [name for name in meta.dtype.names or () if name not in names]
    order = np.argsort(meta[_ID], kind="stable")
    places = np.searchsorted(meta[_ID][order], rows[_ID])
    there = places < len(meta)
    there[there] = meta[_ID][order][places[there]] == rows[_ID][there]
    values = []
    for name in added:
        value = np.zeros(len(rows), meta.dtype[name])
        value[there] = meta[name][order][places[there]]
        values.append(value)
    joined: NDArray[Any] = recfunctions.append_fields(rows, added, values, usemask=False)
    return joined


def shown_tree(
    files: Sequence[str], part: Part, count: int, rows: NDArray[Any], turns: Sequence[range] = ()
) -> dict[str, nodes.Node]:
    """Path -> node of a file that shows `count` images as `part` has them; `turns`: `Interleaved`."""
    tree: dict[str, nodes.Node] = {
        "/": nodes.Group({"NX_class": "NXroot", "default": "entry", "creator": "repstream"}),
        SHOWN_IMAGES: nodes.Interleaved(
            part.item_shape,
            part.dtype,
            files,
            f"/{part.group}/data",
            count,
            final=True,
            lost=lost(part.dtype),
            turns=turns,
        ),
        "/entry": nodes.Group({"NX_class": "NXentry", "default": "data"}),
        "/entry/data": nodes.Group({"NX_class": "NXdata", "signal": "data"}),
        IMAGES: nodes.Link(SHOWN_IMAGES),
    }
    if rows.dtype.names:
        tree |= {
            SHOWN_ROWS: nodes.Table(rows),
            "/entry/instrument": nodes.Group({"NX_class": "NXinstrument"}),
            "/entry/instrument/detector": nodes.Group({"NX_class": "NXdetector"}),
            ROWS: nodes.Link(SHOWN_ROWS),
        }
    return tree
