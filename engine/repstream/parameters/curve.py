"""The parameters that encrypt a socket with CURVE: names of keys, never keys."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from repstream.parameters.facts import Access, Form, Level

NAME = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}"
"""The name of a key."""
KEY, PEERS = "curve_key", "curve_peers"
"""What the parameters are called."""
SCHEMES = ("tcp://", "ipc://")
"""The addresses that can be encrypted."""

KeyName = Annotated[
    str, Access.WHILE_IDLE, Level.EXPERT, Form("the name of a key, of letters, digits and _ . -, or empty")
]
PeerNames = Annotated[
    str, Access.WHILE_IDLE, Level.EXPERT, Form("names of keys separated by commas, * for all, or empty")
]


def key_field(what: str, title: str = "CURVE key") -> Any:
    """The field for the name of `what`'s own key pair."""
    return Field(
        "",
        max_length=64,
        pattern=rf"^({NAME})?$",
        title=title,
        description=f"Name of the key pair that encrypts {what} (repstream keys list); empty: not encrypted.",
    )


def peers_field(who: str, title: str = "CURVE peers") -> Any:
    """The field for the names of those who may be at the other end; `who` says that."""
    return Field(
        "",
        max_length=1023,
        pattern=rf"^(\*|{NAME}(\s*,\s*{NAME})*)?$",
        title=title,
        description=f"With CURVE: names of the public keys of {who}.",
    )


def check_address(address: str, key: str) -> None:
    """Raises `ValueError` for an address that cannot be encrypted."""
    if key and not address.startswith(SCHEMES):
        raise ValueError(f"curve_key encrypts {' and '.join(SCHEMES)} only, not {address}; set it to empty")
