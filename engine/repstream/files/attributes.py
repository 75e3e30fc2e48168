"""Attributes of groups and datasets of a new file."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import h5py
import numpy as np

_TEXT = h5py.string_dtype()


def put(item: h5py.h5g.GroupID | h5py.h5d.DatasetID, values: Mapping[str, Any]) -> None:
    """Give an item attributes, as h5py would: text of any length in UTF-8, all else as numpy has it.

    Text goes by the library's own calls, in a third of h5py's time: nearly all attributes are text, and a
    file has more than a hundred. Raises ValueError for what HDF5 does not take.
    """
    for name, value in values.items():
        if type(value) is str:
            _put_text(item, name, value)
        else:
            _item(item).attrs[name] = value


def _put_text(item: h5py.h5g.GroupID | h5py.h5d.DatasetID, name: str, value: str) -> None:
    stored, given, scalar = _text_types()
    attribute = h5py.h5a.create(item, name.encode(), stored, scalar)
    attribute.write(np.array(value, _TEXT), mtype=given)


@cache
def _text_types() -> tuple[h5py.h5t.TypeID, h5py.h5t.TypeID, h5py.h5s.SpaceID]:
    """Text as the file has it and as numpy has it, and the space of a single value."""
    stored, given = h5py.h5t.py_create(_TEXT, logical=True), h5py.h5t.py_create(_TEXT)
    return stored, given, h5py.h5s.create(h5py.h5s.SCALAR)


def _item(item: h5py.h5g.GroupID | h5py.h5d.DatasetID) -> h5py.Group | h5py.Dataset:
    return h5py.Dataset(item) if isinstance(item, h5py.h5d.DatasetID) else h5py.Group(item)
