"""Reasons of refusals in the words that cam_server's clients, tests and scripts look for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from repstream.errors import (
    InstanceEnded,
    InstanceReadOnly,
    InstanceRuns,
    InvalidValue,
    NotTaken,
    Refused,
    UnknownInstance,
)
from repstream.parameters.camera import CAMERA_SOURCES
from repstream.parameters.pipeline import PIPELINE_TYPES
from repstream.pipelines.configurations import why_unsupported

OFFLINE = "Camera with prefix "
"""Begins the reason of a camera that cannot be reached, which stands alone."""

ORIENTATIONS = ("vertical", "horizontal")


def of(error: Exception) -> str:
    """What a client reads of an error."""
    match error:
        case InstanceEnded() if error.reason.startswith(OFFLINE):
            return error.reason
        case InstanceEnded():
            return f"'{error.subject}' instance  terminated. See logs. {error.reason}"
        case UnknownInstance():
            return f"Instance '{error.subject}' does not exist."
        case InstanceReadOnly():
            return "Cannot set config on a read only instance."
        case InstanceRuns():
            return (
                f"Instance with id '{error.subject}' is already present and running. Use another instance_id "
                "or stop the current instance if you want to reuse the same instance_id."
            )
        case InvalidValue():
            return f"{error.subject}: {error.reason}"
        case Refused():
            return error.reason
    return str(error)


def check_camera(config: Any) -> dict[str, Any]:
    """A camera's configuration as a request has it; raises `NotTaken` for what clients know the words of."""
    document = _object(config)
    if document.get("source") is None:
        raise NotTaken("'source' not specified in configuration.")
    kind = document.get("source_type")
    if kind is not None and kind not in CAMERA_SOURCES:
        text = f"Invalid source_type '{kind!s:.100}'. Available: {list(CAMERA_SOURCES)}."
        raise NotTaken(_with_reason(text, "source_type", kind, CAMERA_SOURCES))
    return document


def check_pipeline(config: Any) -> dict[str, Any]:
    """A pipeline's configuration as a request has it; as `check_camera`."""
    document = _object(config)
    kind = document.get("pipeline_type") or "processing"
    if kind not in PIPELINE_TYPES:
        text = f"pipeline_type '{kind!s:.100}' not present in mapping. Available: {list(PIPELINE_TYPES)}."
        raise NotTaken(_with_reason(text, "pipeline_type", kind, PIPELINE_TYPES))
    other_inputs = (document.get("input_stream"), document.get("input_pipeline"))
    if kind in ("processing", "store") and not document.get("camera_name") and not any(other_inputs):
        raise NotTaken("Camera name not specified in configuration.")
    check_change(document)
    return document


def check_change(change: Mapping[str, Any]) -> None:
    """The parts of a configuration that may change while it runs; as `check_camera`."""
    slices = change.get("image_slices")
    if not isinstance(slices, Mapping):
        return
    number, orientation = slices.get("number_of_slices", 1), slices.get("orientation", "vertical")
    if number is not None and (not isinstance(number, int) or isinstance(number, bool)):
        raise NotTaken("number_of_slices must be an integer.")
    if orientation is not None and orientation not in ORIENTATIONS:
        raise NotTaken(
            f"Invalid slice orientation '{orientation!s:.100}'. Slices orientation can be "
            "'vertical' or 'horizontal'."
        )


def _with_reason(text: str, key: str, value: object, choices: tuple[str, ...]) -> str:
    """What clients look for, and why a value that the original has is refused."""
    return " ".join(filter(None, (text, why_unsupported(key, value, choices))))


def _object(config: Any) -> dict[str, Any]:
    if not isinstance(config, dict):
        raise NotTaken(f"the configuration must be a JSON object, not {config!r:.80}")
    return config
