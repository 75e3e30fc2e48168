"""Where a stream of the engine can be heard, and why it may not be. Pure."""

from __future__ import annotations

from urllib.parse import urlsplit

import msgspec

from repstream.parameters.configuration import Configuration
from repstream.policies.slow_consumer import SlowRule


class Endpoint(msgspec.Struct, frozen=True):
    """The address to connect to, and the name of the key that encrypts it; without one, `reason` says why."""

    address: str = ""
    reason: str = ""
    key: str = ""


def endpoint(configuration: Configuration, stream: str) -> Endpoint:
    """How the pictures' process hears a stream without disturbing anybody.

    Only of a stream that publishes, and that neither waits for its consumers: from any other it would
    take frames, or hold up the source.
    """
    config = configuration.streams.get(stream)
    if config is None:
        known = ", ".join(configuration.streams) or "none"
        return Endpoint(reason=f"there is no stream {stream!r}; there are: {known}")
    if not config.enable:
        return Endpoint(reason=f"stream {stream} is not enabled")
    if config.mode != "PUB":
        return Endpoint(
            reason=f"stream {stream} shares its frames out (PUSH), a picture would take them from its "
            "consumers; choose one that publishes (PUB)"
        )
    if config.on_slow == SlowRule.BLOCK:
        return Endpoint(
            reason=f"stream {stream} waits for its consumers (on_slow = block), a picture could hold up the "
            "source; choose one that drops"
        )
    return msgspec.structs.replace(_local(config.address), key=config.curve_key)


def _local(address: str) -> Endpoint:
    """The address under which this machine reaches what is bound to `address`."""
    if address.startswith("ipc://"):
        return Endpoint(address)
    parts = urlsplit(address.replace("*", "0.0.0.0", 1) if "//*" in address else address)
    try:
        port = parts.port
    except ValueError:
        port = None
    if not port:
        return Endpoint(reason=f"the port of {address} is not fixed")
    host = parts.hostname or ""
    if host in {"0.0.0.0", "::"}:
        return Endpoint(f"tcp://127.0.0.1:{port}")
    return Endpoint(address)
