"""What the process that instances are forked from says."""

from __future__ import annotations

import msgspec


class Warm(msgspec.Struct, frozen=True, tag="warm"):
    """It has loaded what instances need: they start in milliseconds from now on."""


class Forked(msgspec.Struct, frozen=True, tag="forked"):
    """An instance runs."""

    process_id: int


class Gone(msgspec.Struct, frozen=True, tag="gone"):
    """An instance has ended; negative: by that signal."""

    process_id: int
    exit_code: int
