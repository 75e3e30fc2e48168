"""Completing and checking the configurations of instances, and changing them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from repstream.errors import InvalidValue
from repstream.parameters import camera, pipeline
from repstream.parameters.camera import CAMERA_SOURCES, ENCRYPTED_SOURCES, PROTOCOLS, CameraSettings
from repstream.parameters.complaints import complaint
from repstream.parameters.pipeline import PIPELINE_TYPES, PipelineSettings
from repstream.pipelines.control import Kind

Configuration = Mapping[str, Any]
"""A configuration as JSON has it."""

RARE = {
    "protocol": ("ipc",),
    "source_type": ("stddaq", "ipc"),
    "pipeline_type": ("script",),
    "function": ("psss", "psen"),
}
"""Values of cam_server that are known and not supported."""

FUNCTIONS = ("null", "transparent", "merge", "the name of a script")
"""Values of `function`."""

INSTEAD = {
    "script": "; `function` names a script whose process_image or process is called",
}
"""What does their work here."""

AT_START = {
    "camera": frozenset({"port", "queue_size", "protocol", "curve_key", "curve_peers"}),
    "pipeline": frozenset(
        {
            "pipeline_type",
            "port",
            "mode",
            "queue_size",
            "block",
            "buffer_size",
            "file",
            "layout",
            "localtime",
            "change",
            "read_only",
            "processing_threads",
            "input_stream",
            "input_pipeline",
            "input_mode",
            "output_stream",
            "output_pipeline",
            "bsread_address",
            "bsread_channels",
            "bsread_image_buf",
            "bsread_data_buf",
            "curve_key",
            "curve_peers",
            "input_curve_key",
            "input_curve_peers",
            "bsread_curve_key",
            "bsread_curve_peers",
        }
    ),
}
"""Keys that an instance reads when it starts: others are in force as soon as they are changed."""

MERGED = ("image_good_region", "image_slices")
"""Keys that a partial update changes field by field."""


def complete(kind: Kind, configuration: Configuration) -> dict[str, Any]:
    """The configuration with the defaults where it has nothing or null; keys that nobody knows are kept.

    Raises `InvalidValue` with the key and what is allowed.
    """
    if kind == "camera":
        whole = _over(camera.DEFAULTS, configuration)
        if isinstance(whole["camera_calibration"], Mapping):
            whole["camera_calibration"] = camera.Calibration.model_construct().model_dump() | dict(
                whole["camera_calibration"]
            )
        settings(kind, whole)
        return whole
    whole = dict(configuration)
    if whole.get("pipeline_type") in (None, "processing"):
        whole = _over(pipeline.DEFAULTS, configuration)
        for key, defaults in (
            ("image_good_region", pipeline.GOOD_REGION_DEFAULTS),
            ("image_slices", pipeline.SLICES_DEFAULTS),
        ):
            if isinstance(whole[key], Mapping):
                whole[key] = _over(defaults, whole[key])
    settings(kind, whole)
    return whole


def settings(kind: Kind, whole: Configuration) -> CameraSettings | PipelineSettings:
    """The validated configuration; raises `InvalidValue`."""
    model: type[CameraSettings] | type[PipelineSettings] = (
        CameraSettings if kind == "camera" else PipelineSettings
    )
    given = {key: value for key, value in whole.items() if value is not None}
    if "paused" in given:  # as the README of cam_server calls it
        given.setdefault("pause", given["paused"])
    try:
        found = model.model_validate(given)
    except ValidationError as error:
        key = str(error.errors(include_url=False)[0]["loc"][0])
        raise InvalidValue(key, complaint(error, model)) from None
    if isinstance(found, CameraSettings):
        check_choice("source_type", found.source_type, CAMERA_SOURCES)
        check_choice("protocol", found.protocol, PROTOCOLS)
        if found.input_curve_key and found.source_type not in ENCRYPTED_SOURCES:
            raise InvalidValue(
                "input_curve_key",
                f"a source of the type {found.source_type} is not encrypted, only those of "
                + ", ".join(ENCRYPTED_SOURCES),
            )
    else:
        check_choice("pipeline_type", found.pipeline_type, PIPELINE_TYPES)
        if found.bsread_channels and not found.bsread_address:
            raise InvalidValue(
                "bsread_channels",
                "channels by name alone come from a dispatcher, which is not supported here; "
                "bsread_address says which stream has them",
            )
        if reason := why_unsupported("function", found.function, FUNCTIONS):
            raise InvalidValue("function", reason, FUNCTIONS)
        if found.pipeline_type in ("processing", "store") and not (
            found.camera_name or found.input_stream or found.input_pipeline
        ):
            raise InvalidValue("camera_name", f"a pipeline of the type {found.pipeline_type} needs a camera")
    return found


def has_entrance(kind: Kind, whole: Configuration) -> bool:
    """Whether an instance binds an input of its own: a fan-in that nobody gave an address."""
    given = ("input_stream", "input_pipeline")
    return (
        kind == "pipeline"
        and whole.get("pipeline_type") == "fanin"
        and not any(whole.get(key) for key in given)
    )


def changed(kind: Kind, present: Configuration, partial: Configuration) -> dict[str, Any]:
    """The complete configuration after a partial update; raises `InvalidValue`."""
    if not partial:
        raise InvalidValue("configuration", "an update needs at least one key")
    if kind == "pipeline" and partial.get("camera_name", present.get("camera_name")) != present.get(
        "camera_name"
    ):
        raise InvalidValue("camera_name", "it cannot change while the pipeline runs: stop the pipeline first")
    whole = {**present, **partial}
    for key in MERGED:
        if isinstance(present.get(key), Mapping) and isinstance(partial.get(key), Mapping):
            whole[key] = {**present[key], **partial[key]}
    return complete(kind, whole)


def from_next_start(kind: Kind, before: Configuration, after: Configuration) -> list[str]:
    """The keys whose change counts from the next start of the instance on, sorted."""
    return sorted(key for key in AT_START[kind] if before.get(key) != after.get(key))


def _over(defaults: Mapping[str, Any], given: Configuration) -> dict[str, Any]:
    """`given` over `defaults`; null does not count where there is a default."""
    return {**defaults, **{k: v for k, v in given.items() if v is not None or k not in defaults}}


def why_unsupported(key: str, value: object, choices: tuple[str, ...]) -> str:
    """Why a value that cam_server has is none here, and what is; empty for one that it does not have."""
    if value not in RARE.get(key, ()):
        return ""
    are = "is" if len(choices) == 1 else "are"
    reason = f"{value!r} of cam_server is not supported here; {', '.join(choices)} {are}"
    return reason + INSTEAD.get(str(value), "")


def check_choice(key: str, value: object, choices: tuple[str, ...]) -> None:
    """Raise `InvalidValue` for a value of a configuration that is none of these."""
    if reason := why_unsupported(key, value, choices):
        raise InvalidValue(key, reason, choices)
    if value not in choices:
        raise InvalidValue(key, f"must be one of {', '.join(choices)}, not {value!r:.200}", choices)
