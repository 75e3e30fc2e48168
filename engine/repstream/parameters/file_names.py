"""File names as areaDetector makes them: a C format over folder, name and number.

Source: areaDetector's NDPluginFile, `FileTemplate`: ``%s%s_%6.6d.h5`` is filled with the folder
(with its trailing slash), the name and the number; ``%s%s.h5`` has no number.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Literal

_FIELD = re.compile(r"%(?:%|[-+ 0#]*\d{0,2}(?:\.\d{1,2})?[sdi])")  # 99 at most: a width costs memory


PartNames = Literal["repstream", "std_daq"]
"""Whose names the files of parts have."""

HDF5_SUFFIXES = (".h5", ".hdf5", ".hdf", ".nxs", ".nx", ".nexus", ".cxi")
"""Endings of names that programs take for HDF5 files."""


def _fields(template: str) -> list[str]:
    return [found for found in _FIELD.findall(template) if found != "%%"]


def check_template(template: str) -> None:
    """Raise `ValueError` unless `template` takes a folder, a name and, if it likes, a number."""
    _check_suffix("x" + _FIELD.sub("", template))
    kinds = "".join(field[-1] for field in _fields(template)).replace("i", "d")
    rest = _FIELD.sub("", template)
    if kinds not in ("ss", "ssd") or "%" in rest or "\0" in rest:
        raise ValueError(
            f"must be a C format with two %s (folder, name) and at most one %d (number) after them, "
            f"such as %s%s_%6.6d.h5, not {template!r}"
        )


def has_number(template: str) -> bool:
    """Whether `template` has a place for the file number."""
    return len(_fields(template)) == 3


def full_name(template: str, folder: str, name: str, number: int) -> str:
    """The full file name; `folder` gets its trailing slash."""
    slashed = folder.rstrip("/") + "/"
    filled = (slashed, name, number) if has_number(template) else (slashed, name)
    return template % filled


def split_full_name(name: str) -> dict[str, str]:
    """Folder, file name and a template without number that give `name` back.

    Raises `ValueError` for a name that is not absolute or has no file extension.
    """
    path = PurePosixPath(name)
    if not path.is_absolute():
        raise ValueError(f"output_file must be an absolute path such as /data/run1/scan.h5, not {name!r}")
    if not path.suffix or name.endswith("/"):
        raise ValueError(f"output_file must name a file with an extension such as .h5, not {name!r}")
    _check_suffix(path.name)
    suffix = path.suffix.replace("%", "%%")
    return {"folder": str(path.parent), "file_name": path.stem, "file_template": f"%s%s{suffix}"}


def _check_suffix(name: str) -> None:
    suffix = PurePosixPath(name).suffix
    if suffix and suffix.lower() not in HDF5_SUFFIXES:
        raise ValueError(f"must end as HDF5 files do ({', '.join(HDF5_SUFFIXES)}), not in {suffix!r}")
