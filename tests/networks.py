"""A host that can be cut off: in a network namespace of its own, or behind proxies that stand still."""

from __future__ import annotations

import os
import secrets
import selectors
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Protocol

from tests.ports import free_port


class Network(Protocol):
    """How a host is reached, and reaches this one."""

    prefix: list[str]
    """What a command line begins with that is to run there."""

    host: str
    """The address of this host on it."""

    def there(self) -> tuple[str, str]:
        """An address for who listens there, and the one by which it is reached from here."""

    def here(self) -> tuple[str, str]:
        """An address for who listens here, and the one by which it is reached from there."""

    def reach(self, port: int) -> str:
        """The address by which a port that is listened at here already is reached from there."""

    def cut(self) -> None:
        """Nothing gets through any more, in either direction, and nobody is told."""

    def heal(self) -> None:
        """All is as before."""


def _run(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True)


class Namespace:
    """A network namespace with a link of its own to this one; fills `Network`. Packets are dropped unseen."""

    def __init__(self) -> None:
        self._name = f"rs{secrets.token_hex(4)}"
        self._link, there = f"{self._name}a", f"{self._name}b"
        net = f"100.{64 + secrets.randbelow(64)}.{secrets.randbelow(256)}"
        self.host, self._there = f"{net}.1", f"{net}.2"
        self.prefix = ["ip", "netns", "exec", self._name]
        _run("ip", "netns", "add", self._name)
        try:
            _run("ip", "link", "add", self._link, "type", "veth", "peer", "name", there, "netns", self._name)
            _run("ip", "addr", "add", f"{self.host}/30", "dev", self._link)
            _run("ip", "link", "set", self._link, "up")
            _run("ip", "-n", self._name, "addr", "add", f"{self._there}/30", "dev", there)
            for link in (there, "lo"):
                _run("ip", "-n", self._name, "link", "set", link, "up")
            self._filter("-S")  # whether there is a filter at all
        except BaseException:
            self.close()
            raise

    def there(self) -> tuple[str, str]:
        address = f"tcp://{self._there}:{free_port()}"
        return address, address

    def here(self) -> tuple[str, str]:
        address = f"tcp://{self.host}:{free_port()}"
        return address, address

    def reach(self, port: int) -> str:
        return f"tcp://{self.host}:{port}"

    def lose(self, share: float) -> None:
        """Lose this share of all packets that arrive there, until `heal`."""
        probability = ("--probability", str(share))
        self._filter("-A", "INPUT", "-m", "statistic", "--mode", "random", *probability, "-j", "DROP")

    def cut(self) -> None:
        for chain in ("INPUT", "OUTPUT"):
            self._filter("-I", chain, "-j", "DROP")

    def heal(self) -> None:
        self._filter("-F")

    def close(self) -> None:
        """Remove it; whoever is still in it keeps it until the end."""
        for words in (("link", "del", self._link), ("netns", "del", self._name)):
            with suppress(subprocess.CalledProcessError):
                _run("ip", *words)

    def _filter(self, *words: str) -> None:
        _run(*self.prefix, "iptables", "-w", *words)


class Proxies:
    """TCP proxies in this process; fills `Network`. What is sent meanwhile waits in their sockets."""

    prefix: list[str] = []  # noqa: RUF012 - read only
    host = "127.0.0.1"

    def __init__(self) -> None:
        self._open = threading.Event()
        self._open.set()
        self._ended = threading.Event()
        self._sockets: list[socket.socket] = []

    def there(self) -> tuple[str, str]:
        port = free_port()
        return f"tcp://127.0.0.1:{port}", f"tcp://127.0.0.1:{self._listen(port)}"

    def here(self) -> tuple[str, str]:
        # An address of its own: nobody else listens there.
        host = f"127.{1 + secrets.randbelow(254)}.{secrets.randbelow(256)}.1"
        port = free_port()
        return f"tcp://{host}:{port}", f"tcp://127.0.0.1:{self._listen(port, host)}"

    def reach(self, port: int) -> str:
        return f"tcp://127.0.0.1:{self._listen(port)}"

    def cut(self) -> None:
        self._open.clear()

    def heal(self) -> None:
        self._open.set()

    def close(self) -> None:
        self._ended.set()
        self._open.set()
        for each in self._sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _listen(self, port: int, host: str = "127.0.0.1") -> int:
        server = socket.create_server(("127.0.0.1", 0))
        self._sockets.append(server)
        threading.Thread(target=self._accept, args=(server, (host, port)), daemon=True).start()
        return int(server.getsockname()[1])

    def _accept(self, server: socket.socket, to: tuple[str, int]) -> None:
        with suppress(OSError):
            while True:
                theirs, _ = server.accept()
                self._open.wait()
                try:
                    ours = socket.create_connection(to)
                except OSError:
                    theirs.close()
                    continue
                self._sockets += [theirs, ours]
                threading.Thread(target=self._pass, args=(theirs, ours), daemon=True).start()

    def _pass(self, one: socket.socket, other: socket.socket) -> None:
        with selectors.DefaultSelector() as selector, one, other, suppress(OSError):
            selector.register(one, selectors.EVENT_READ, other)
            selector.register(other, selectors.EVENT_READ, one)
            while not self._ended.is_set():
                self._open.wait()
                for key, _ in selector.select(0.05):
                    assert isinstance(key.fileobj, socket.socket)
                    if not self._open.is_set():
                        break
                    if not (data := key.fileobj.recv(1 << 16)):
                        return
                    key.data.sendall(data)


def can_have_namespaces() -> bool:
    """Whether this user may make network namespaces and filter packets in them."""
    if os.geteuid() or not (shutil.which("ip") and shutil.which("iptables")):
        return False
    try:
        Namespace().close()
    except subprocess.CalledProcessError:
        return False
    return True


@contextmanager
def network(kind: type[Namespace] | type[Proxies]) -> Iterator[Namespace | Proxies]:
    """One that ends with the block."""
    with ExitStack() as stack:
        found = kind()
        stack.callback(found.close)
        yield found
