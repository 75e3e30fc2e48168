"""Text that must be a JSON object, as users give it to be kept in their files."""

from __future__ import annotations

import json
from typing import Any, NoReturn

MOST_CHARACTERS = 16_384
MOST_LEVELS = 16


def parse_object(text: str) -> dict[str, Any]:
    """The object in a text; an empty text is an empty one.

    Raises ValueError for what is no JSON object, for NaN and infinities, which JSON does not
    have, for a name given twice, and for more than 16 levels.
    """
    if not text.strip():
        return {}
    try:
        found = json.loads(text, parse_constant=_refuse, object_pairs_hook=_unique)
    except json.JSONDecodeError as error:
        raise ValueError(f"must be a JSON object: {error}") from None
    except RecursionError:
        raise ValueError(f"must not have more than {MOST_LEVELS} levels") from None
    if not isinstance(found, dict):
        raise ValueError('must be a JSON object, such as {"sample": {"name": "A"}}')
    if _levels(found) > MOST_LEVELS:
        raise ValueError(f"must not have more than {MOST_LEVELS} levels")
    return found


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"must be JSON, which has no {name}")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"must not have {twice!r} twice")
    return found


def _levels(value: Any) -> int:
    if isinstance(value, dict | list):
        return 1 + max(map(_levels, value.values() if isinstance(value, dict) else value), default=0)
    return 0
