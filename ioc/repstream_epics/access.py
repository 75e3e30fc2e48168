"""Who may write: an allow-list of users and hosts."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class WriteAccess:
    """Users and addresses that may write; an empty list allows all.

    The user is what the client says of itself, as everywhere in Channel Access; the host is where it
    connects from.
    """

    users: frozenset[str] = frozenset()
    addresses: frozenset[str] = frozenset()

    @classmethod
    def of(cls, users: Iterable[str] = (), hosts: Iterable[str] = ()) -> WriteAccess:
        """For names or addresses of hosts; raises `ValueError` for a host that nobody knows."""
        return cls(frozenset(users), frozenset(address for host in hosts for address in _addresses(host)))

    def allows(self, user: str, address: str) -> bool:
        """Whether a client may write."""
        return (not self.users or user in self.users) and (not self.addresses or address in self.addresses)

    def reason(self, user: str, address: str) -> str:
        """Why a client may not."""
        return f"{user or 'somebody'} at {address} may not write: only {self} may"

    def __str__(self) -> str:
        users = ", ".join(sorted(self.users)) or "every user"
        return f"{users} at {', '.join(sorted(self.addresses)) or 'any host'}"


def _addresses(host: str) -> list[str]:
    try:
        return [str(found[4][0]) for found in socket.getaddrinfo(host, None, socket.AF_INET)]
    except OSError as error:
        raise ValueError(f"{host} is no host that may be allowed to write: {error.strerror}") from error
