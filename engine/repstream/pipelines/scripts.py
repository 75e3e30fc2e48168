"""Scripts of users, found by name in their folder."""

from __future__ import annotations

from pathlib import Path

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
