"""Names of cameras, pipelines, backgrounds and scripts: they become file names, and are never paths."""

from __future__ import annotations

import unicodedata

from repstream.errors import InvalidValue

LONGEST = 200
"""Bytes of a name in UTF-8: a file system takes 255, and endings and times are added."""

_CONTROL = {"Cc", "Cs", "Zl", "Zp"}
"""Unicode's categories of what no name has: control characters, halves of characters, ends of lines."""


def check_name(what: str, name: str) -> str:
    """`name` where it can be the name of a file; raises `InvalidValue` that says why it cannot.

    `what` is what it names, such as ``"camera"``. Letters of every script, blanks and emoji are taken.
    """
    if reason := _why_not(name):
        raise InvalidValue(what, f"{name!r:.100} cannot be the name of a {what}: {reason}")
    return name


def _why_not(name: str) -> str:
    if not name:
        return "it is empty"
    if any(unicodedata.category(c) in _CONTROL for c in name):
        return "it has control characters"
    if "/" in name or "\\" in name:
        return "it has a path separator; names are not paths"
    if ".." in name or name.startswith("."):
        return "it begins with '.' or has '..'; names are not paths"
    if (size := len(name.encode())) > LONGEST:
        return f"it has {size} bytes in UTF-8, {LONGEST} are allowed"
    return ""
