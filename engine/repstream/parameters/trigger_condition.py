"""What starts a writer, as text: an attribute of the headers, or a comparison of one with a number."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

Number = int | float | bool

COMPARISONS: Mapping[str, Callable[[Number, Number], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
}

_PARTS = re.compile(r"\s*([^\s<>=!]+)\s*(?:([<>=!]+)\s*(.*?))?\s*")
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")


class Condition(NamedTuple):
    """A comparison with an attribute; without a sign: whether it is true, or other than 0."""

    attribute: str
    sign: str = "!="
    number: Number = 0

    def holds(self, value: Number | None) -> bool:
        """Whether a value fulfils it; one that is missing or NaN never does."""
        return value is not None and value == value and COMPARISONS[self.sign](value, self.number)  # noqa: PLR0124


def parse_condition(text: str) -> Condition | None:
    """The condition in a text such as ``laser`` or ``intensity > 100``; None in an empty one.

    Raises ValueError that says what is wrong and how it is written.
    """
    if not text.strip():
        return None
    found = _PARTS.fullmatch(text)
    if found is None or not found[1].isprintable():
        raise ValueError(f"{text!r} is neither an attribute's name nor a comparison such as intensity > 100")
    name, sign, number = found.groups()
    if sign is None:
        return Condition(name)
    if sign not in COMPARISONS:
        raise ValueError(f"{sign!r} in {text!r} is no comparison: use one of {' '.join(COMPARISONS)}")
    if number in ("true", "false"):
        return Condition(name, sign, number == "true")
    if not _NUMBER.fullmatch(number):
        raise ValueError(f"{number!r} in {text!r} is no number: compare with one, such as 100, 2.5 or true")
    return Condition(name, sign, int(number) if number.lstrip("+-").isdecimal() else float(number))
