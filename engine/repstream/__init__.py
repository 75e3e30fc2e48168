"""repstream: repeat, watch and write the images of X-ray detectors.

`Client` commands an engine by its address; the errors are all that the project raises on purpose.
"""

from repstream.client import Client
from repstream.errors import (
    ChildError,
    EndedEarly,
    EngineFault,
    EngineUnreachable,
    InvalidValue,
    MalformedMessage,
    NotTaken,
    PortTakenError,
    ProcessingError,
    Refused,
    RegistrationError,
    RepstreamError,
    StorageError,
    ToolError,
    Unanswered,
    UnknownKey,
)
from repstream.version import __version__

__all__ = [
    "ChildError",
    "Client",
    "EndedEarly",
    "EngineFault",
    "EngineUnreachable",
    "InvalidValue",
    "MalformedMessage",
    "NotTaken",
    "PortTakenError",
    "ProcessingError",
    "Refused",
    "RegistrationError",
    "RepstreamError",
    "StorageError",
    "ToolError",
    "Unanswered",
    "UnknownKey",
    "__version__",
]
