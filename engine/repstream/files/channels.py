"""Images that were taken in several channels, such as a detector's thresholds: a dataset each. Pure.

The first channel is the file's images under all of their names; every channel has an NXdata group of its
own. A place whose image did not come, although another channel's did, is blank in that dataset alone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec
import numpy as np

from repstream.files import checksum

_NO_NAME = re.compile(r"[^A-Za-z0-9_]")
_TAKEN = "in_turn"
"""``data_in_turn`` is another dataset, of a master."""

Members = tuple[tuple[str, np.dtype[np.generic]], ...]


def labels(names: Sequence[str]) -> tuple[str, ...]:
    """The names of channels in a file, all different, with ``_`` for what NeXus does not take."""
    found = [_TAKEN]
    for name in names:
        label = plain = _NO_NAME.sub("_", name) or "_"
        number = 2
        while label in found:
            label, number = f"{plain}_{number}", number + 1
        found.append(label)
    return tuple(found[1:])


def group(label: str) -> str:
    """The NXdata group of a channel, whose signal is ``data``."""
    return f"/entry/data_{label}"


def status(label: str) -> str:
    """The member of a row that says whether the channel's image came, as ``status`` does for all of them."""
    return f"status_{label}"


def sums(names: Sequence[str]) -> tuple[str, ...]:
    """The members of a row with the checksum of each channel; the first has that of the images."""
    return (checksum.MEMBER, *(f"{checksum.MEMBER}_{label}" for label in labels(names)[1:]))


def members(names: Sequence[str], kind: checksum.Checksum) -> Members:
    """What a row holds for channels, beside what it holds for an image."""
    found: Members = tuple((status(label), np.dtype("<u8")) for label in labels(names))
    if kind != "none":
        found += tuple((name, checksum.DTYPES[kind]) for name in sums(names)[1:])
    return found


def as_text(names: Sequence[str]) -> str:
    """The path of each channel's images as JSON, by the name that it has in the stream."""
    paths = {name: f"{group(label)}/data" for name, label in zip(names, labels(names), strict=True)}
    return msgspec.json.encode(paths).decode()


def from_text(text: str) -> dict[str, str]:
    """What `as_text` wrote; nothing where it is not that."""
    try:
        return msgspec.json.decode(text, type=dict[str, str])
    except msgspec.DecodeError:
        return {}


def label_of(path: str) -> str:
    """The label of the channel whose images lie at `path`."""
    return path.removesuffix("/data").removeprefix(group(""))
