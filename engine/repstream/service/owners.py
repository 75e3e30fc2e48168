"""Whom files may be made for: whoever runs the service says so, none of its clients."""

from __future__ import annotations

import os
from collections.abc import Collection

from repstream.errors import InvalidValue


def check_owner(subject: str, user_id: int, permitted: Collection[int]) -> None:
    """Raise `InvalidValue` naming `subject` for a user who is not permitted.

    0 and the service's own user always are.
    """
    if user_id in (0, os.geteuid(), *permitted):
        return
    allowed = tuple(map(str, (0, *sorted(permitted))))
    raise InvalidValue(
        subject,
        f"no files are made for user {user_id}, only for {', '.join(allowed)} (0: the user of the service); "
        "the engine's option --user-id permits others",
        allowed,
    )
