"""CURVE keys in files, in the form of pyzmq's and czmq's certificates.

`NAME.key` holds a public key, `NAME.key_secret` that and the secret one, readable for its owner only. Who has
only `NAME.key` knows somebody else. Source: https://rfc.zeromq.org/spec/26.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import zmq
from zmq.utils import z85

from repstream import private_file
from repstream.errors import Refused
from repstream.parameters.curve import NAME

FOLDER_VARIABLE = "REPSTREAM_KEYS"
PUBLIC, SECRET = ".key", ".key_secret"
_NAME = re.compile(NAME)
_VALUE = re.compile(r"^\s*(public|secret)-key\s*=\s*[\"'](.{40})[\"']\s*$", re.MULTILINE)


class Key(msgspec.Struct, frozen=True):
    """One name: its public key (Z85, 40 characters), and whether its secret one is here."""

    name: str
    public: str
    own: bool


class Pair(msgspec.Struct, frozen=True):
    """A key pair; it shows its secret to nobody who prints it."""

    public: bytes
    secret: bytes

    def __repr__(self) -> str:
        return f"Pair({self.public.decode()})"


def folder() -> Path:
    """Where the keys are: what the environment says, else in the user's settings."""
    if given := os.environ.get(FOLDER_VARIABLE):
        return Path(given)
    return private_file.home() / "keys"


class Keys:
    """The keys in a folder, read each time they are asked for, so that a change counts at once.

    Errors are `Refused` under the name of the `subject` that asks.
    """

    def __init__(self, place: Path | None = None, subject: str = "keys") -> None:
        self.place = place or folder()
        self._subject = subject

    def __iter__(self) -> Iterator[Key]:
        names = {path.stem for path in self.place.glob(f"*{PUBLIC}")} if self.place.is_dir() else set()
        for name in sorted(names):
            yield Key(name, self.public(name).decode(), self._path(name, SECRET).is_file())

    def public(self, name: str) -> bytes:
        """The public key of this name."""
        return self._read(name, PUBLIC)["public"]

    def pair(self, name: str) -> Pair:
        """The key pair of this name; both its parts are in the secret file."""
        found = self._read(name, SECRET)
        if "secret" not in found:
            raise self._refused(
                f"{self._path(name, SECRET)} holds no secret key; `repstream keys rotate {name}`"
            )
        return Pair(found["public"], found["secret"])

    def is_exposed(self, name: str) -> bool:
        """Whether others than its owner may read the secret key of this name."""
        return private_file.is_exposed(self._path(name, SECRET))

    def create(self, name: str) -> Key:
        """Make a key pair; a name that is taken is refused."""
        self._check_free(name)
        return self._write_pair(name)

    def rotate(self, name: str) -> Key:
        """Make another key pair under a name that has one; the former one is gone."""
        self.pair(name)
        return self._write_pair(name)

    def add(self, name: str, public: str) -> Key:
        """Keep somebody's public key (40 characters of Z85) under a name that is free."""
        self._check_free(name)
        if not _is_key(public):
            raise self._refused(
                f"{public!r:.60} is no public key: it has 40 characters, as `repstream keys show` prints it"
            )
        self._write(name, PUBLIC, {"public": public.encode()}, 0o644)
        return Key(name, public, own=False)

    def remove(self, name: str) -> None:
        """Forget a name and its keys."""
        self._read(name, PUBLIC)
        for ending in (SECRET, PUBLIC):
            self._path(name, ending).unlink(missing_ok=True)

    def _check_name(self, name: str) -> None:
        if not _NAME.fullmatch(name):
            raise self._refused(
                f"{name!r:.80} is no name of a key: letters, digits, and _ . - after the first"
            )

    def _check_free(self, name: str) -> None:
        self._check_name(name)
        if self._path(name, PUBLIC).exists() or self._path(name, SECRET).exists():
            raise self._refused(
                f"there is a key {name!r} in {self.place}; take another name, "
                f"or `repstream keys rotate {name}`"
            )

    def _write_pair(self, name: str) -> Key:
        public, secret = zmq.curve_keypair()
        self._write(name, SECRET, {"public": public, "secret": secret}, 0o600)
        self._write(name, PUBLIC, {"public": public}, 0o644)
        return Key(name, public.decode(), own=True)

    def _write(self, name: str, ending: str, keys: dict[str, bytes], mode: int) -> None:
        path = self._path(name, ending)
        lines = [f"# CURVE key of {name}, made by repstream", "curve"]
        lines += [f'    {kind}-key = "{key.decode()}"' for kind, key in keys.items()]
        try:
            private_file.write(path, "".join(f"{line}\n" for line in lines).encode("ascii"), mode)
        except OSError as error:
            reason = f"{path} cannot be written: {error.strerror}; --keys names another folder"
            raise self._refused(reason) from error

    def _read(self, name: str, ending: str) -> dict[str, bytes]:
        """The keys in a file, which has a public one at least."""
        self._check_name(name)
        path = self._path(name, ending)
        try:
            text = path.read_text(encoding="ascii")
        except FileNotFoundError as error:
            if ending == SECRET:
                missing, make = f"there is no key pair {name!r}", f"create {name}"
            else:
                missing, make = f"there is no public key {name!r}", f"add {name} KEY"
            raise self._refused(
                f"{missing} in {self.place}; `repstream keys {make}` puts it there"
            ) from error
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is no text"
            raise self._refused(f"{path} cannot be read: {reason}") from error
        found = {kind: key.encode() for kind, key in _VALUE.findall(text) if _is_key(key)}
        if "public" not in found:
            raise self._refused(f"{path} holds no public key; write it anew with `repstream keys`")
        return found

    def _path(self, name: str, ending: str) -> Path:
        return self.place / f"{name}{ending}"

    def _refused(self, reason: str) -> Refused:
        return Refused(self._subject, reason)


def _is_key(text: str) -> bool:
    try:
        return len(text) == 40 and len(z85.decode(text.encode("ascii"))) == 32
    except (ValueError, KeyError, UnicodeEncodeError):
        return False
