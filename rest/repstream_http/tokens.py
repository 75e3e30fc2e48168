"""Tokens: named, each with its right; in a file they are kept as digests, so that it holds no token.

Tokens that are made here have 256 random bits, so one round of SHA-256 is enough: nobody tries them all.
"""

from __future__ import annotations

import enum
import hashlib
import logging
import re
import secrets
import time
from pathlib import Path
from typing import Literal

import msgspec

from repstream import private_file
from repstream.errors import Refused

log = logging.getLogger(__name__)

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@-]{0,63}")
FORMER = "-former"
"""What the name of a token that was rotated ends with, while it is still good."""
DAY, HOUR = 86400.0, 3600.0

May = Literal["read", "change"]


class Right(enum.IntEnum):
    """What a request may do, the greater including the lesser."""

    NOTHING = 0
    READ = 1
    CHANGE = 2


RIGHTS: dict[May, Right] = {"read": Right.READ, "change": Right.CHANGE}


class Token(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A token by its digest (SHA-256 in hexadecimal digits); times are Unix seconds, None: for ever."""

    name: str
    may: May
    digest: str
    created: float = 0.0
    expires: float | None = None

    @property
    def right(self) -> Right:
        return RIGHTS[self.may]


class _Content(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    tokens: tuple[Token, ...] = ()


def digest_of(token: str) -> str:
    """What is kept of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


class TokenFile:
    """The tokens in a file, read again whenever that has changed. Thread-safe.

    Every error is `Refused` with what to do; but for `good`, which goes on with what it had.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stamp: tuple[int, ...] = ()
        self._tokens: tuple[Token, ...] = ()

    def check(self) -> None:
        """Raises `Refused` where the file cannot serve: missing, no tokens' file, readable for others."""
        self._tokens, self._stamp = self.read(), self._stamped()
        if private_file.is_exposed(self.path):
            raise self._refused(f"others may read it; chmod 600 {self.path}")

    def good(self) -> tuple[Token, ...]:
        """Those that are good now."""
        stamp = self._stamped()
        if stamp != self._stamp:
            self._stamp = stamp
            try:
                self._tokens = self.read()
                log.info("the tokens in %s were read again: %d", self.path, len(self._tokens))
            except Refused as error:
                log.error("the former tokens stay good: %s", error)
        now = time.time()
        return tuple(token for token in self._tokens if token.expires is None or token.expires > now)

    def read(self) -> tuple[Token, ...]:
        """All that are in the file, expired ones too."""
        try:
            return msgspec.json.decode(self.path.read_bytes(), type=_Content).tokens
        except FileNotFoundError as error:
            raise self._refused("is not there; `repstream tokens create NAME` makes it") from error
        except OSError as error:
            raise self._refused(
                f"cannot be read: {error.strerror}; its owner must be the user of the service"
            ) from error
        except msgspec.MsgspecError as error:
            raise self._refused(f"is no file of tokens: {error}; `repstream tokens` makes one") from error

    def create(self, name: str, may: May, days: float = 0) -> str:
        """Make a token and return it: this is the only time that it can be seen. `days` 0: good for ever."""
        if not NAME.fullmatch(name):
            raise self._refused(f"{name!r:.80} is no name: letters, digits, and _ . @ - after the first")
        tokens = self.read() if self.path.exists() else ()
        if any(token.name == name for token in tokens):
            raise self._refused(
                f"there is a token {name!r}; `repstream tokens rotate {name}` makes another one"
            )
        made, token = _made(name, may, days)
        self._write((*tokens, token))
        return made

    def rotate(self, name: str, overlap: float = 0) -> str:
        """Make another token under a name, with its right and end; the former is good for `overlap` hours."""
        former = self._named(name)
        made, token = _made(name, former.may, 0)
        token = msgspec.structs.replace(token, expires=former.expires)
        kept = [each for each in self.read() if each.name not in (name, name + FORMER)]
        if overlap > 0:
            end = min(time.time() + overlap * HOUR, former.expires or float("inf"))
            kept.append(msgspec.structs.replace(former, name=name + FORMER, expires=end))
        self._write((*kept, token))
        return made

    def remove(self, name: str) -> None:
        """Forget a token, and the one that it was before."""
        self._named(name)
        self._write(tuple(each for each in self.read() if each.name not in (name, name + FORMER)))

    def _named(self, name: str) -> Token:
        tokens = {token.name: token for token in self.read()}
        if name not in tokens:
            raise self._refused(f"there is no token {name!r:.80}, only {', '.join(tokens) or 'none'}")
        return tokens[name]

    def _write(self, tokens: tuple[Token, ...]) -> None:
        content = msgspec.json.format(msgspec.json.encode(_Content(tokens)), indent=2)
        try:
            private_file.write(self.path, content + b"\n")
        except OSError as error:
            raise self._refused(f"cannot be written: {error.strerror}; --file names another one") from error

    def _stamped(self) -> tuple[int, ...]:
        try:
            seen = self.path.stat()
        except OSError:
            return (0,)
        return (seen.st_ino, seen.st_mtime_ns, seen.st_size)

    def _refused(self, reason: str) -> Refused:
        return Refused(str(self.path), reason)


def _made(name: str, may: May, days: float) -> tuple[str, Token]:
    made = secrets.token_urlsafe(32)
    now = time.time()
    return made, Token(name, may, digest_of(made), round(now), round(now + days * DAY) if days else None)
