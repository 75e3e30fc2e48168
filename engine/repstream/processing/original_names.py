"""The names under which scripts of cam_server import what they use.

They are made in the process of a user's function only. A package of that name beside ours would stand in the
way of the original wherever both are installed, and would promise more than the functions of scripts.
"""

from __future__ import annotations

import sys
from types import ModuleType

from repstream.processing import script_functions, script_processor

PACKAGES = ("cam_server", "cam_server.pipeline", "cam_server.pipeline.data_processing")
MODULES = {"functions": script_functions, "processor": script_processor}


def offer() -> None:
    """Make ``from cam_server.pipeline.data_processing import functions, processor`` work."""
    parent: ModuleType | None = None
    for name in PACKAGES:
        package = ModuleType(name, "Names of cam_server, for scripts.")
        package.__path__ = []
        _put(name, package, parent)
        parent = package
    for name, module in MODULES.items():
        _put(f"{PACKAGES[-1]}.{name}", module, parent)


def _put(name: str, module: ModuleType, parent: ModuleType | None) -> None:
    sys.modules[name] = module
    if parent is not None:
        setattr(parent, name.rpartition(".")[2], module)
