"""A message out of its parts, through the `send` of a stream."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any


def send_parts(parts: Sequence[Any], send: Callable[..., Any], block: bool) -> None:
    """Send one message whole. The first part decides whether it is taken, so it alone may wait."""
    last = len(parts) - 1
    for number, part in enumerate(parts):
        if send(part, send_more=number < last, block=block) is False:
            return


def dumps(document: Any) -> bytes:
    """A JSON part."""
    return json.dumps(document).encode()
