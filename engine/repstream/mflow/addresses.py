"""Which end of a connection an address stands for."""

from __future__ import annotations


def binds(address: object) -> bool:
    """Whether an address is a port of this machine, on all its interfaces: ``tcp://*:9999``."""
    return isinstance(address, str) and address.startswith("tcp://*:")
