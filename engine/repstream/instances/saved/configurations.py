"""A folder of configurations: one JSON object a file, ``<name>.json``, read at each use.

What other programs write there is seen at once, and keys that nobody here knows are kept.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from repstream.errors import Refused
from repstream.instances.saved import storing
from repstream.instances.saved.names import check_name
from repstream.parameters import storage

log = logging.getLogger(__name__)

Document = dict[str, Any]
"""A configuration as JSON has it."""

SUFFIX = ".json"
_NO_CONFIGURATIONS = ("servers", "permanent_instances")
_NO_ENDINGS = ("_parameters", "_background")


class Configurations:
    """The configurations in a folder by name; `what` they are of is ``"camera"`` or ``"pipeline"``."""

    def __init__(self, folder: Path, what: str) -> None:
        self.folder = folder
        self.what = what

    def names(self) -> list[str]:
        """The names of all, sorted."""
        found = (path.name.removesuffix(SUFFIX) for path in self.folder.glob(f"*{SUFFIX}"))
        return sorted(name for name in found if _is_configuration(name))

    def stamps(self) -> dict[str, int]:
        """The names of all, each with what changes when its file does."""
        found: dict[str, int] = {}
        for name in self.names():
            with suppress(FileNotFoundError):  # removed this moment
                found[name] = self._path(name).stat().st_mtime_ns
        return found

    def __contains__(self, name: str) -> bool:
        return self._path(name).is_file()

    def read(self, name: str) -> Document:
        """What is saved; raises `Refused` where nothing is, or what is there is no JSON object."""
        path = self._path(name)
        if not path.is_file():
            raise Refused(self.what, f"Config '{name}' does not exist.")
        return storage.as_object(storage.read_text(path), str(path))

    def write(self, name: str, document: Mapping[str, Any]) -> Document:
        """Save a configuration under a name, in place of the earlier one; as saved.

        Raises `InvalidValue` for a name that cannot be one, `StorageError` where it cannot be written.
        """
        path = self._path(name)
        if not _is_configuration(name):
            raise Refused(self.what, f"'{name}' is the name of another kind of file in {self.folder}")
        saved = {**document, "name": name}
        storing.replace(path, (json.dumps(saved, indent=1) + "\n").encode())
        return saved

    def delete(self, name: str) -> None:
        """Remove a configuration; raises `Refused` where there is none."""
        try:
            self._path(name).unlink()
        except FileNotFoundError:
            text = f"{'Pipeline' if self.what == 'pipeline' else 'Config'} '{name}' does not exist."
            raise Refused(self.what, text) from None

    def aliases(self) -> dict[str, str]:
        """The names by alias (key `alias`: a text or a list)."""
        return {alias: name for name, given in self._said("alias") for alias in given}

    def groups(self) -> dict[str, list[str]]:
        """The names in each group (key `group`: a text or a list)."""
        found: dict[str, list[str]] = {}
        for name, given in self._said("group"):
            for group in given:
                found.setdefault(group, []).append(name)
        return found

    def _said(self, key: str) -> Iterator[tuple[str, list[str]]]:
        for name in self.names():
            try:
                value = self.read(name).get(key)
            except Refused as error:
                log.warning("%s '%s' is left out: %s", self.what, name, error.reason)
                continue
            given = value if isinstance(value, list) else [value]
            yield name, [text for text in given if isinstance(text, str) and text]

    def _path(self, name: str) -> Path:
        return self.folder / (check_name(self.what, name) + SUFFIX)


def _is_configuration(name: str) -> bool:
    return name not in _NO_CONFIGURATIONS and not name.startswith(".") and not name.endswith(_NO_ENDINGS)
