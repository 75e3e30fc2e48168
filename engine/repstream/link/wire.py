"""The engine's address: what goes over the wire, and how it is packed.

A ROUTER socket at the address serves any number of DEALER clients; every message is one part of
MessagePack, a map with its kind under ``type``. A client says `Hello` and gets a `Welcome` with
the catalogue and a snapshot; from then on every event of the engine comes to it, in order, each
numbered one higher than the last. A client that misses a number says `Hello` again. `Write` and
`Execute` are answered by `Done` or `Failed` with the same number; `Done` carries the sequence
number that the engine had reached then, so that a client may wait until it has seen its own
change. `Ping` is answered by `Pong`; a server forgets clients that are silent for `SILENCE`
seconds, and a client takes an engine that is silent for so long for lost.
"""

from __future__ import annotations

import msgspec

from repstream.errors import EngineFault, InvalidValue, Refused, Unanswered, UnknownKey
from repstream.parameters.catalogue import Catalogue
from repstream.parameters.facts import Value
from repstream.protocol import Change, Completion, Requester, Snapshot

VERSION = 2
"""Version of this protocol; a server refuses any other with the reason."""

PING_EVERY = 0.5
"""Seconds between a client's pings."""

SILENCE = 2.5
"""Seconds without a sign of life after which the other end is taken for lost."""


class Hello(msgspec.Struct, frozen=True, tag="hello"):
    """A client joins, or joins again; `key` is the engine's key, empty where it has none."""

    version: int
    key: str
    requester: Requester


class Write(msgspec.Struct, frozen=True, tag="write"):
    """Change parameters, all or none."""

    number: int
    values: dict[str, Value]
    requester: Requester


class Execute(msgspec.Struct, frozen=True, tag="execute"):
    """Give a command."""

    number: int
    command: str
    argument: Value
    requester: Requester


class Ping(msgspec.Struct, frozen=True, tag="ping"):
    """A client is alive."""


class Bye(msgspec.Struct, frozen=True, tag="bye"):
    """A client leaves."""


ToEngine = Hello | Write | Execute | Ping | Bye


class Welcome(msgspec.Struct, frozen=True, tag="welcome"):
    """Everything a client needs to begin with; `completions` are those of the last commands."""

    version: int
    name: str
    catalogue: Catalogue
    snapshot: Snapshot
    completions: tuple[Completion, ...] = ()


class Done(msgspec.Struct, frozen=True, tag="done"):
    """A write or command was taken; `handle_id` is the command's, empty for a write."""

    number: int
    sequence: int
    handle_id: str = ""


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """A write or command was refused or failed, or has no answer yet; `kind` is the name of the error."""

    number: int
    kind: str
    subject: str
    reason: str
    allowed: tuple[str, ...] = ()
    sequence: int = 0


class Denied(msgspec.Struct, frozen=True, tag="denied"):
    """A client may not join: another version, a wrong key, or it never said hello."""

    reason: str


class Pong(msgspec.Struct, frozen=True, tag="pong"):
    """The engine is alive; its sequence number now."""

    sequence: int


FromEngine = Welcome | Done | Failed | Denied | Pong | Change | Completion


class _Numbered(msgspec.Struct):
    """What every request that wants an answer has, whatever else is wrong with it."""

    number: int


encode = msgspec.msgpack.Encoder().encode
_requests: msgspec.msgpack.Decoder[ToEngine] = msgspec.msgpack.Decoder(ToEngine)
_numbers: msgspec.msgpack.Decoder[_Numbered] = msgspec.msgpack.Decoder(_Numbered)
decode_message: msgspec.msgpack.Decoder[FromEngine] = msgspec.msgpack.Decoder(FromEngine)


def decode_request(data: bytes) -> ToEngine | Failed | Denied:
    """A client's message; for one that is not understood, the answer that it gets."""
    try:
        return _requests.decode(data)
    except msgspec.MsgspecError as error:
        reason = f"not understood: {error}"
    try:
        return Failed(_numbers.decode(data).number, InvalidValue.__name__, "request", reason)
    except msgspec.MsgspecError:
        return Denied(reason)


ANSWERS = (Refused, EngineFault, Unanswered)
"""The errors that an engine answers a request with; each has a subject and a reason."""

_REFUSALS = {c.__name__: c for c in (Refused, InvalidValue, UnknownKey)}
_OTHERS = {c.__name__: c for c in (EngineFault, Unanswered)}


def failed(number: int, error: Refused | EngineFault | Unanswered, sequence: int) -> Failed:
    """An error, packed; `sequence` is that of the last change it has caused."""
    allowed = error.allowed if isinstance(error, Refused) else ()
    return Failed(number, type(error).__name__, error.subject, error.reason, allowed, sequence)


def error_of(message: Failed) -> Refused | EngineFault | Unanswered:
    """An error, unpacked: the same class with the same reason."""
    if (other := _OTHERS.get(message.kind)) is not None:
        return other(message.subject, message.reason)
    return _REFUSALS.get(message.kind, Refused)(message.subject, message.reason, message.allowed)
