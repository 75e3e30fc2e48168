"""What is installed only with an extra."""

from __future__ import annotations

import importlib.util

from repstream.errors import ProcessingError


def need_scipy(what: str) -> None:
    """Raise ProcessingError, which says what to install, where scipy is not there."""
    if importlib.util.find_spec("scipy") is None:
        raise ProcessingError(f"{what} needs scipy: pip install 'repstream[cameras]'")
