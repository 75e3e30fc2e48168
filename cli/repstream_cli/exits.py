"""Exit codes of every command, for scripts."""

from __future__ import annotations

import enum


class Exit(enum.IntEnum):
    """What the exit code says."""

    OK = 0
    FAULTS = 1  # something is wrong with what was seen, or could not be done
    USAGE = 2  # an option or argument is wrong; nothing was done
    NOTHING = 3  # nothing, or less than asked for, came in time
    CUT_SHORT = 4  # undamaged, but ended early: fewer images than were asked for
