"""Configurations as JSON: our own shape, with its version, and gf_repstream's two."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from repstream.errors import InvalidValue, Refused
from repstream.parameters import gf_repstream
from repstream.parameters.complaints import complaint
from repstream.parameters.configuration import SCHEMA_VERSION, Configuration

MOST_BYTES = 16 * 2**20
"""Size of a configuration file, at most; a large one has some 100,000."""

C = TypeVar("C", bound=Configuration)


def dump(configuration: Configuration) -> str:
    """`configuration` as indented JSON; what follows from other fields is left out."""
    tree = configuration.model_dump(mode="json")
    for group in tree:
        for name, section in configuration.sections(group).items():
            (tree[group] if name else tree)[name or group] = section.settings()
    return json.dumps(tree, indent=2)


def parse(text: str, subject: str, model: type[C]) -> C:
    """A configuration from JSON in any of the shapes; raises `Refused` naming `subject` and the place."""
    tree = as_object(text, subject)
    if "in-stream" in tree or "out-streams" in tree:
        tree = gf_repstream.as_tree(tree, subject)
    return _validated(migrated(tree, subject), subject, model)


def as_object(text: str, subject: str) -> dict[str, Any]:
    """The JSON object in `text`; raises `Refused`."""
    try:
        tree = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidValue(subject, f"is not JSON: {error}") from error
    if not isinstance(tree, dict):
        raise InvalidValue(subject, f"must be a JSON object, not {type(tree).__name__}")
    return tree


def migrated(tree: dict[str, Any], subject: str) -> dict[str, Any]:
    """`tree` in the shape of this version; raises `Refused` for a newer one."""
    version = tree.get("schema_version", SCHEMA_VERSION)
    if not isinstance(version, int) or version < 0:
        raise InvalidValue(
            subject, f"schema_version must be a number from 0 to {SCHEMA_VERSION}, not {version!r}"
        )
    if version > SCHEMA_VERSION:
        raise InvalidValue(
            subject,
            f"was saved by a newer version (schema_version {version}); this one reads up to {SCHEMA_VERSION}",
        )
    if version == 0:
        tree = _from_version_0(tree)
    return {**tree, "schema_version": SCHEMA_VERSION}


def _validated(tree: Mapping[str, Any], subject: str, model: type[C]) -> C:
    try:
        return model.model_validate(tree)
    except ValidationError as error:
        raise InvalidValue(subject, complaint(error, model)) from error


def load(path: Path, model: type[C]) -> C:
    """The configuration in a file; raises `Refused` with what is wrong where."""
    return parse(read_text(path), str(path), model)


def read_text(path: Path) -> str:
    """The text of a file of ours; raises `Refused` with the reason where it cannot be read."""
    try:
        return _read(path)
    except (OSError, ValueError) as error:  # ValueError: no UTF-8, or a name with NUL
        raise Refused(str(path), f"cannot be read: {error}") from error


def _read(path: Path) -> str:
    """The text of a regular file; a device or a pipe, which may never end, is not read."""
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError("it is no regular file")
        data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise OSError(f"it is larger than {MOST_BYTES} bytes")
    return data.decode("utf-8")


def save(configuration: Configuration, path: Path) -> None:
    """Write the configuration to a file, whole or not at all; raises `Refused`."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with beside.open("w", encoding="utf-8") as file:
            file.write(dump(configuration) + "\n")
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        with suppress(OSError):  # of a file system that has become read-only not even this can be
            beside.unlink()
        reason = (
            f"cannot be written: {error.strerror}; name a file in a folder that is writable for the engine"
        )
        raise Refused(str(path), reason) from error


def _from_version_0(tree: dict[str, Any]) -> dict[str, Any]:
    """Version 0 had streams and writers as lists of objects with a name."""
    named = {
        group: {entry["name"]: {k: v for k, v in entry.items() if k != "name"} for entry in tree[group]}
        for group in ("streams", "writers")
        if isinstance(tree.get(group), list)
    }
    return {**tree, **named}
