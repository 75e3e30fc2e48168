from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.engine.ring.peers import tidy, unique_name


@pytest.fixture
def ring() -> Iterator[str]:
    """A name that no other ring has; nothing of it is left."""
    name = unique_name()
    yield name
    tidy(name)
