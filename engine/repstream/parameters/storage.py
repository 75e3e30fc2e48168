"""Configurations as JSON: our own shape, with its version, and gf_repstream's two.

Source of the latter: gf_repstream's configuration files, ``{"in-stream": {…}, "out-streams": {name:
{…}}}`` and the older form with lists of such objects and ``send_every_nth``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from repstream.errors import InvalidValue, Refused
from repstream.parameters.configuration import SCHEMA_VERSION, Configuration
from repstream.policies.decimation import Decimation

_ZMQ_NAMES = {1: "PUB", 2: "SUB", 7: "PULL", 8: "PUSH"}
_POLICY_NAMES = {"n_every_nth": Decimation.SEND_EVERY_NTH_FRAME}
_PARAMETER_OF = {
    Decimation.SEND_EVERY_NTH: ("every_nth",),
    Decimation.SEND_EVERY_SEC: ("every_sec",),
    Decimation.SEND_EVERY_NTH_FRAME: ("burst",),
    Decimation.STRIDES: ("stride",),
    Decimation.BATCH: ("burst", "frame_block"),
    Decimation.PERIODIC: ("burst", "burst_rate"),
    Decimation.MODULO: ("modulo",),
}


def dump(configuration: Configuration) -> str:
    """`configuration` as indented JSON; what follows from other fields is left out."""
    tree = configuration.model_dump(mode="json", exclude={"writers": {"__all__": {"output_file"}}})
    return json.dumps(tree, indent=2)


def parse(text: str, subject: str) -> Configuration:
    """A configuration from JSON in any of the shapes; raises `Refused` naming `subject` and the place."""
    tree = as_object(text, subject)
    if "in-stream" in tree or "out-streams" in tree:
        tree = _from_gf_repstream(tree, subject)
    return _validated(migrated(tree, subject), subject)


def as_object(text: str, subject: str) -> dict[str, Any]:
    """The JSON object in `text`; raises `Refused`."""
    try:
        tree = json.loads(text)
    except ValueError as error:
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


def complaint(error: ValidationError) -> str:
    """What a failed validation says, as one sentence for each place."""
    sentences = []
    for fault in error.errors(include_url=False):
        place = ".".join(str(part) for part in fault["loc"]) or "the whole"
        text = fault["msg"].removeprefix("Value error, ")
        given = "" if fault["type"] == "value_error" else f", not {fault['input']!r:.80}"
        sentences.append(f"{place}: {text[0].lower()}{text[1:]}{given}")
    return "; ".join(sentences)


def _validated(tree: Mapping[str, Any], subject: str) -> Configuration:
    try:
        return Configuration.model_validate(tree)
    except ValidationError as error:
        raise InvalidValue(subject, complaint(error)) from error


def load(path: Path) -> Configuration:
    """The configuration in a file; raises `Refused` with what is wrong where."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(str(path), f"cannot be read: {error}") from error
    return parse(text, str(path))


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
        beside.unlink(missing_ok=True)
        raise Refused(str(path), f"cannot be written: {error.strerror}") from error


def _from_version_0(tree: dict[str, Any]) -> dict[str, Any]:
    """Version 0 had streams and writers as lists of objects with a name."""
    named = {
        group: {entry["name"]: {k: v for k, v in entry.items() if k != "name"} for entry in tree[group]}
        for group in ("streams", "writers")
        if isinstance(tree.get(group), list)
    }
    return {**tree, **named}


def _from_gf_repstream(tree: dict[str, Any], subject: str) -> dict[str, Any]:
    try:
        (source,) = _listed(tree["in-stream"]) or ({},)
        outputs = _listed(tree.get("out-streams", {}))
        return {
            "source": {"address": source["address"], "mode": _zmq_name(source.get("zmq_mode", "PULL"))},
            "streams": {entry["name"]: _gf_stream(entry) for entry in outputs},
        }
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidValue(
            subject, f"looks like a gf_repstream configuration but lacks or garbles {error}"
        ) from error


def _listed(part: Any) -> list[dict[str, Any]]:
    if isinstance(part, list):
        return [dict(entry) for entry in part]
    if "address" in part or "port" in part:
        return [dict(part)]
    return [{"name": name, **entry} for name, entry in part.items()]


def _zmq_name(mode: str | int) -> str:
    return _ZMQ_NAMES[mode] if isinstance(mode, int) else mode


def _gf_stream(entry: dict[str, Any]) -> dict[str, Any]:
    stream: dict[str, Any] = {
        "address": f"tcp://*:{int(entry['port'])}",
        "mode": _zmq_name(entry.get("zmq_mode", "PUSH")),
    }
    if entry["name"] == "std-det-writer":
        stream["header"] = "std_det_writer"
    if "send_every_nth" in entry:
        return {**stream, "policy": "send_every_nth", "every_nth": entry["send_every_nth"]}
    mode = entry.get("send_output_mode", "forward")
    policy = _POLICY_NAMES.get(mode) or Decimation(mode)
    given = entry.get("send_output_param", [])
    values = given if isinstance(given, list) else [given]
    names = _PARAMETER_OF.get(policy, ())
    return {**stream, "policy": policy.value, **dict(zip(names, values, strict=False))}
