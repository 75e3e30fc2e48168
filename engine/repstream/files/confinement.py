"""Whether what a name in an HDF5 file stands for lies below the allowed folders.

Links, virtual datasets and raw data kept outside lead from one file to others, of whoever made it. Who asks
this process for a part of a file must not read through them what only this process may read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

import h5py

from repstream.errors import StorageError

MOST_STEPS = 16
"""Links within a file that follow one another, at most."""

MOST_REMEMBERED = 4096

Reference = tuple[str, str]
"""Another file as a file calls it, and a name in there; no name where it is read as bytes."""


def check_confined(file: h5py.File, name: str, roots: Sequence[Path]) -> None:
    """Raise StorageError where reading the dataset `name` would leave `roots`.

    What is not there, or in no file, is no fault here.
    """
    allowed = [root.resolve() for root in roots]
    path = Path(file.filename)
    left = [(path, reference) for reference in _references(file, name, 0)]
    seen: set[tuple[Path, str]] = set()
    while left:
        path, (other, there) = left.pop()
        for found in _meant(path, other):
            if not any(found.is_relative_to(root) for root in allowed):
                raise StorageError(f"{path} leads to {found}, which is not below an allowed folder")
            if there and (found, there) not in seen:
                seen.add((found, there))
                state = found.stat()
                version = state.st_dev, state.st_ino, state.st_mtime_ns, state.st_size
                left += ((found, reference) for reference in _references_of(found, there, version))


def _meant(path: Path, other: str) -> list[Path]:
    """What the library may open: it looks beside the file, where this process is, and by the last name."""
    wanted = (path.parent / other, Path.cwd() / other, path.parent / Path(other).name)
    return list(dict.fromkeys(real for real in (place.resolve() for place in wanted) if real.is_file()))


@lru_cache(MOST_REMEMBERED)
def _references_of(path: Path, name: str, version: tuple[int, ...]) -> tuple[Reference, ...]:
    """As `_references`, of this version of a file."""
    try:
        file = h5py.File(path, "r", locking=False)
    except OSError:
        return ()  # the library cannot read it either
    with file:
        return tuple(dict.fromkeys(_references(file, name, 0)))


def _references(file: h5py.File, name: str, steps: int) -> Iterator[Reference]:
    """The other files that are read for `name`, as far as this one says."""
    if steps > MOST_STEPS:
        raise StorageError(f"{file.filename}: more than {MOST_STEPS} links follow one another at {name}")
    found, at = file["/"], ""
    rest = [part for part in name.split("/") if part not in ("", ".")]
    while rest and isinstance(found, h5py.Group):
        part = rest.pop(0)
        link = found.get(part, getlink=True)
        if isinstance(link, h5py.SoftLink):
            target = link.path if link.path.startswith("/") else f"{at}/{link.path}"
            yield from _references(file, "/".join([target, *rest]), steps + 1)
            return
        if isinstance(link, h5py.ExternalLink):
            yield link.filename, "/".join([link.path, *rest])
            return
        if link is None:
            return
        found, at = found[part], f"{at}/{part}"
    if isinstance(found, h5py.Dataset):
        yield from ((other, "") for other, _, _ in found.external or ())
        if found.is_virtual:
            for source in dict.fromkeys((s.file_name, s.dset_name) for s in found.virtual_sources()):
                if source[0] == ".":
                    yield from _references(file, source[1], steps + 1)
                else:
                    yield source
