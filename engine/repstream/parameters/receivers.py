"""What users write about several receivers of one source: their addresses, their cores, and what follows."""

from __future__ import annotations

import re

MOST_RECEIVERS = 32
MOST_CPU = 4095

_ADDRESS = re.compile(r"(tcp|ipc)://[^\s,]+")
_PORT = re.compile(r"(tcp://.+:)(\d+)")


def parse_addresses(text: str) -> tuple[str, ...]:
    """The address of each receiver in ``tcp://host:9990, tcp://host:9991``; raises ValueError."""
    pieces = [piece.strip() for piece in text.split(",")] if text.strip() else []
    for piece in pieces:
        if not _ADDRESS.fullmatch(piece):
            raise ValueError(f"{piece!r} must be an address that begins with tcp:// or ipc://")
    if len(set(pieces)) < len(pieces):
        raise ValueError("must name each address once")
    return tuple(pieces)


def parse_cpus(text: str) -> tuple[frozenset[int], ...]:
    """The cores of each receiver in ``2, 4-7``; raises ValueError."""
    pieces = [piece.strip() for piece in text.split(",")] if text.strip() else []
    return tuple(map(_cores, pieces))


def beside(address: str, receiver: int) -> str:
    """The address at which a receiver (from 0) has a stream: consecutive ports, or ``ipc://name.1``.

    Raises ValueError for an address that has no next one.
    """
    if not receiver:
        return address
    if match := _PORT.fullmatch(address):
        port = int(match[2]) + receiver
        if port <= 65535 and port != receiver:
            return f"{match[1]}{port}"
        raise ValueError(f"{address} has no port that follows it; choose a lower one")
    if address.startswith("ipc://"):
        return f"{address}.{receiver}"
    raise ValueError(f"{address} cannot be had once for each receiver; use tcp:// or ipc://")


def _cores(piece: str) -> frozenset[int]:
    match = re.fullmatch(r"(\d{1,4})(?:-(\d{1,4}))?", piece)
    if match is None or int(match[1]) > int(match[2] or match[1]) or int(match[2] or match[1]) > MOST_CPU:
        raise ValueError(f"{piece!r} must be a core such as 2, or cores such as 4-7")
    return frozenset(range(int(match[1]), int(match[2] or match[1]) + 1))
