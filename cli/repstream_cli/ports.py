"""Which ports are free, asked before anything is started."""

from __future__ import annotations

import errno
import random
import re
import socket

from repstream.errors import PortTakenError

OTHERS = range(10_000, 20_000)
"""Where a port is taken in the place of a usual one: the kernel gives none of these to a connection that
somebody opens, so that the port is still free when the server comes to listen."""

ADDRESS = re.compile(r"tcp://(?P<host>.+):(?P<port>\d+|\*)")


def is_free(host: str, port: int, udp: bool = False) -> bool:
    """Whether a server could listen there (`udp`: and receive datagrams). Raises `OSError` for a bad host."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    kinds = [socket.SOCK_STREAM, *([socket.SOCK_DGRAM] if udp else [])]
    for kind in kinds:
        with socket.socket(family, kind) as probe:
            if kind == socket.SOCK_STREAM:
                # As servers do: a port whose last connections linger is free.
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                if error.errno in (errno.EADDRINUSE, errno.EACCES):
                    return False
                raise
    return True


def free(host: str, preferred: int, udp: bool = False) -> int:
    """`preferred` if it is free there, else any port that is. Raises `PortTakenError` where none is."""
    if preferred and is_free(host, preferred, udp):
        return preferred
    for port in random.sample(OTHERS, len(OTHERS)):
        if is_free(host, port, udp):
            return port
    raise PortTakenError(f"no port of {host} from {OTHERS.start} to {OTHERS.stop - 1} is free")


def require(host: str, port: int, what: str, option: str, udp: bool = False, *, hint: str = "") -> None:
    """Raises `PortTakenError` where `what` could not listen; port 0 takes a free one later.

    `hint`: who may have the port, for the reason.
    """
    try:
        if port == 0 or is_free(host, port, udp):
            return
    except OSError as error:
        raise PortTakenError(
            f"{what} cannot listen on {host}: {error.strerror}; --host takes another"
        ) from error
    raise PortTakenError(f"{what} cannot listen on {host}:{port}, it is taken{hint}; {option} takes another")


def host_and_port(address: str) -> tuple[str, int] | None:
    """Host and port (``*`` is 0) of a ``tcp://`` address; None for other kinds."""
    match = ADDRESS.fullmatch(address)
    if match is None:
        return None
    host = "0.0.0.0" if match["host"] == "*" else match["host"].strip("[]")
    return host, 0 if match["port"] == "*" else int(match["port"])


def reachable(address: str) -> str:
    """The address by which a process on this host reaches what listens at `address`."""
    return re.sub(r"^tcp://(\*|0\.0\.0\.0):", "tcp://127.0.0.1:", address)
