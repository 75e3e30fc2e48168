"""Which front ends are installed."""

from __future__ import annotations

import importlib.util

NEEDS = {"tango": "tango", "epics": "caproto", "pva": "p4p", "http": "fastapi", "redis": "redis"}
"""The library that each front end needs; the extra of this package has the front end's name."""


def installed(front_end: str) -> bool:
    """Whether the library that a front end needs is there."""
    return importlib.util.find_spec(NEEDS[front_end]) is not None
