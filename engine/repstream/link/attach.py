"""Attaching a front end to engines that run elsewhere, each by a name and an address."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager

from repstream.link.remote import RemoteEngine

DEFAULT_ADDRESS = "tcp://127.0.0.1:9600"
DEFAULT_NAME = "repstream"


def addresses_of(engines: Sequence[str]) -> Mapping[str, str]:
    """Addresses by name from ``[name=]tcp://host:port``; none given: the default one.

    Raises `ValueError` for what has another form, and for a name that is given twice.
    """
    addresses: dict[str, str] = {}
    for given in engines or (DEFAULT_ADDRESS,):
        name, _, address = given.rpartition("=")
        name = name or DEFAULT_NAME
        if "/" in name or "://" not in address:
            raise ValueError(f"{given!r} is not of the form name=tcp://host:port")
        if name in addresses:
            raise ValueError(f"two engines have the name {name!r}")
        addresses[name] = address
    return addresses


@contextmanager
def attached(addresses: Mapping[str, str], key: str, front_end: str) -> Iterator[dict[str, RemoteEngine]]:
    """The engines by name, left again at the end; they need not be there yet."""
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(closing(RemoteEngine(address, key, front_end)))
            for name, address in addresses.items()
        }
