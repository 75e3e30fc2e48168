"""Whether a file may be made where the user wants it, decided before anything is touched."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Sequence
from pathlib import Path

from repstream.errors import Refused, StorageError
from repstream.files.locks import is_written
from repstream.files.users import acting_as

_LONGEST_NAME = 255


def resolve_roots(roots: Sequence[str]) -> tuple[Path, ...]:
    """The real paths of the folders below which files may be made; none given: the current one.

    Raises Refused for one that is not an existing folder.
    """
    resolved = []
    for root in roots or (str(Path.cwd()),):
        path = Path(root)
        if not path.is_absolute() or not path.is_dir():
            raise Refused("roots", f"{root!r} is not an existing folder with an absolute path: make it first")
        resolved.append(path.resolve())
    return tuple(resolved)


def check_target(
    path: str | os.PathLike[str],
    roots: Sequence[Path],
    *,
    create_directory: int = 0,
    overwrite: bool = False,
    needed_bytes: int = 0,
    user_id: int = 0,
) -> Path:
    """Check that a file may be made at `path`; return its real path, to be used from then on.

    `roots`: from `resolve_roots`. `create_directory`: which folders may be made, as
    `missing_folders` explains. `needed_bytes`: expected size of the file, 0 = unknown. `user_id`:
    who will own it. Nothing is made or changed. Raises Refused with what is wrong and what
    would be right.
    """
    text = os.fspath(path)
    if not text.startswith("/"):
        raise _refused(f"{text!r} is not absolute: it must begin with '/'")
    if not text.isprintable():
        raise _refused(f"{text!r} has characters that cannot be printed: leave them out")
    if text.endswith("/") or Path(text).name in ("", ".", ".."):
        raise _refused(f"{text!r} names a folder: a file name must follow")
    if len(Path(text).name.encode()) > _LONGEST_NAME:
        raise _refused(f"its name has {len(Path(text).name.encode())} bytes, {_LONGEST_NAME} are allowed")
    try:
        with acting_as(user_id):
            return _check_real(Path(text), roots, create_directory, overwrite, needed_bytes)
    except StorageError as error:
        raise _refused(str(error)) from error
    except (OSError, RuntimeError) as error:
        raise _refused(f"{text} cannot be looked at: {error}") from error


def missing_folders(folder: Path, create_directory: int) -> list[Path]:
    """The folders that have to be made for `folder` to exist, topmost first.

    `create_directory` is areaDetector's: 0 = none may be made; -n = at most the last n;
    n > 0 = any below the first n, the root folder being the first. Raises Refused where more
    would be needed.
    """
    missing: list[Path] = []
    for candidate in (folder, *folder.parents):
        if candidate.exists():
            break
        missing.insert(0, candidate)
    levels = len(folder.parts) - len(missing)
    if not missing:
        return missing
    if create_directory == 0:
        raise _refused(f"the folder {missing[0]} does not exist: make it, or set create_directory")
    if len(missing) > -create_directory > 0:
        raise _refused(
            f"{len(missing)} folders from {missing[0]} on do not exist, and create_directory = "
            f"{create_directory} makes at most {-create_directory}"
        )
    if levels < create_directory:
        raise _refused(
            f"the folder {missing[0]} does not exist, and create_directory = {create_directory} expects "
            f"the first {create_directory} levels of {folder} to be there"
        )
    return missing


def make_folders(target: Path, create_directory: int, user_id: int = 0) -> None:
    """Make the folders that `target` (checked by `check_target`) still needs.

    Raises Refused as `missing_folders`, StorageError with the system's reason.
    """
    try:
        with acting_as(user_id):
            for folder in missing_folders(target.parent, create_directory):
                folder.mkdir(exist_ok=True)
    except OSError as error:
        raise StorageError(f"the folder {error.filename} cannot be made: {error.strerror}") from error


def _check_real(path: Path, roots: Sequence[Path], create: int, overwrite: bool, nbytes: int) -> Path:
    folder = path.parent.resolve()
    target = folder / path.name
    if not any(folder.is_relative_to(root) for root in roots):
        where = f"{path} leads to {target}, which" if target != path else str(path)
        allowed = tuple(str(root) for root in roots)
        raise _refused(f"{where} is not below an allowed folder: {', '.join(allowed)}", allowed)
    missing = missing_folders(folder, create)
    nearest = missing[0].parent if missing else folder
    if not nearest.is_dir():
        raise _refused(f"{nearest} is not a folder")
    if not os.access(nearest, os.W_OK | os.X_OK, effective_ids=True):
        raise _refused(f"the folder {nearest} cannot be written by the file's owner: change its rights")
    _check_existing(target, overwrite)
    free = shutil.disk_usage(nearest).free
    if nbytes > free:
        raise _refused(
            f"the file would take {nbytes / 1e9:.3f} GB and {nearest} has {free / 1e9:.3f} GB left: "
            "make room or take fewer images"
        )
    return target


def _check_existing(target: Path, overwrite: bool) -> None:
    try:
        mode = target.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISREG(mode) and not stat.S_ISLNK(mode):
        raise _refused(f"{target} exists and is not a file: choose another name")
    if not overwrite:
        raise _refused(f"{target} exists: choose another name or set overwrite")
    if is_written(target):
        raise _refused(f"{target} is being written: choose another name, or wait until it is finished")


def _refused(reason: str, allowed: tuple[str, ...] = ()) -> Refused:
    return Refused("output_file", reason, allowed)
