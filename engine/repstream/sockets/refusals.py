"""Why an address cannot be had, and what to do."""

from __future__ import annotations

import errno

import zmq

_HINTS = {
    errno.EADDRINUSE: "another program has it: `ss -ltnp` shows which, or take another port",
    errno.EADDRNOTAVAIL: "it is no address of this host: `ip -brief address` shows those, * means all",
    errno.ENODEV: "it is no address or interface of this host: `ip -brief address` shows those, * means all",
    errno.EACCES: "the user of the service may not: take a port above 1023, or a folder that is writable",
    errno.EINVAL: "an address is like tcp://host:9990, tcp://*:9610 or ipc:///run/frames",
}


def why_not(error: zmq.ZMQError) -> str:
    """What the system says of an address, with what to do about it."""
    number = error.errno or 0
    hint = _HINTS.get(number, "correct the address, or take another one")
    return f"{zmq.strerror(number)}; {hint}"
