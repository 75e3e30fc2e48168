"""What an engine begins with that was given no configuration."""

from __future__ import annotations

from repstream.parameters.configuration import Configuration

PREVIEW = "preview"
PREVIEW_PORT = 9608
WRITER = "main"


def preview(address: str) -> dict[str, object]:
    """Settings of a stream that pictures are made of: ten frames a second, never waiting for anybody."""
    return {
        "address": address,
        "mode": "PUB",
        "policy": "periodic",
        "burst_rate": 10.0,
        "buffer_size": 10,
        "alarm_on_drop": False,
    }


def first_configuration() -> Configuration:
    """A writer, a picture, and its stream in the last slot, so that those of users begin with the first."""
    return Configuration.model_validate(
        {
            "streams": {PREVIEW: preview(f"tcp://127.0.0.1:{PREVIEW_PORT}")},
            "writers": {WRITER: {}},
            "pictures": {"1": {"stream": PREVIEW}},
            "slots": {f"streams.{PREVIEW}": 8},
        }
    )
