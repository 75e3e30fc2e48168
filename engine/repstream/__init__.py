"""repstream: repeat, watch and write the images of X-ray detectors.

`Client` commands an engine by its address; the errors are those it raises.
"""

from repstream.client import Client
from repstream.errors import (
    EngineFault,
    EngineUnreachable,
    InvalidValue,
    MalformedMessage,
    Refused,
    RepstreamError,
    StorageError,
    Unanswered,
    UnknownKey,
)
from repstream.version import __version__

__all__ = [
    "Client",
    "EngineFault",
    "EngineUnreachable",
    "InvalidValue",
    "MalformedMessage",
    "Refused",
    "RepstreamError",
    "StorageError",
    "Unanswered",
    "UnknownKey",
    "__version__",
]
