"""ZMQ sockets of tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import zmq

LINGER_MS = 1000


class _Keeping(zmq.Context[zmq.Socket[bytes]]):
    _kept: list[zmq.Socket[bytes]]

    def socket(self, *arguments: Any, **options: Any) -> zmq.Socket[bytes]:
        made = super().socket(*arguments, **options)
        self.__dict__.setdefault("_kept", []).append(made)
        return made


@contextmanager
def keeping_context() -> Iterator[zmq.Context[zmq.Socket[bytes]]]:
    """A context whose sockets stay open, used or not, until it ends and closes them at once.

    What a socket that the test closed still holds gets out within a second, or is lost: a test that fails
    must not wait for a peer that is gone.
    """
    context = _Keeping()
    context.linger = LINGER_MS
    try:
        yield context
    finally:
        context.destroy(linger=0)
