"""repstream: repeat, watch and write the images of X-ray detectors.

`Client` commands an engine by its address; the errors are all that the project raises on purpose.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from repstream.errors import (
    ChildError,
    EndedEarly,
    EngineFault,
    EngineUnreachable,
    FunctionError,
    InstanceEnded,
    InstanceReadOnly,
    InstanceRuns,
    InvalidValue,
    MalformedMessage,
    NotTaken,
    PortTakenError,
    ProcessingError,
    Refused,
    RegistrationError,
    RepstreamError,
    RequestError,
    StorageError,
    ToolError,
    Unanswered,
    UnknownInstance,
    UnknownKey,
)

if TYPE_CHECKING:
    from repstream.client import Client
    from repstream.version import __version__

__all__ = [
    "ChildError",
    "Client",
    "EndedEarly",
    "EngineFault",
    "EngineUnreachable",
    "FunctionError",
    "InstanceEnded",
    "InstanceReadOnly",
    "InstanceRuns",
    "InvalidValue",
    "MalformedMessage",
    "NotTaken",
    "PortTakenError",
    "ProcessingError",
    "Refused",
    "RegistrationError",
    "RepstreamError",
    "RequestError",
    "StorageError",
    "ToolError",
    "Unanswered",
    "UnknownInstance",
    "UnknownKey",
    "__version__",
]


def __getattr__(name: str) -> object:
    """What takes time to import, when it is used: every process and command begins with this module."""
    modules = {"Client": "repstream.client", "__version__": "repstream.version"}
    if name not in modules:
        raise AttributeError(f"module 'repstream' has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(modules[name]), name)
    return found


def __dir__() -> list[str]:
    return __all__
