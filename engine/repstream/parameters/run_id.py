"""The label of a run: text here, for others a number where it was one."""

from __future__ import annotations

import re

_NUMBER = re.compile(r"0|-?[1-9][0-9]*", re.ASCII)


def as_given(run_id: str) -> int | str:
    """A number if it is one and reads back alike, else the text."""
    return int(run_id) if _NUMBER.fullmatch(run_id) else run_id
