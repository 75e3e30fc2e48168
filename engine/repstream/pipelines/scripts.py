"""Scripts of users: found by name in their folder, loaded anew each time."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from repstream.errors import InvalidValue


def script_path(key: str, name: str, folder: Path | None) -> Path:
    """The file of a script; ``.py`` may be left out. Raises `InvalidValue` about the `key`."""
    if folder is None:
        raise InvalidValue(key, f"{name!r:.200} is a script, and no folder of scripts is configured")
    if "/" in name or "\0" in name or name.startswith(".") or not name:
        raise InvalidValue(key, f"{name!r:.200} is not the name of a script: no slash, no dot in front")
    for candidate in (name, f"{name}.py"):
        if (path := folder / candidate).is_file() and path.suffix == ".py":
            return path
    raise InvalidValue(key, f"there is no script {name!r:.200}")


def load(path: Path) -> ModuleType:
    """The module that a script is. Raises what the script raises."""
    spec = importlib.util.spec_from_file_location(f"repstream_script_{path.stem}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
