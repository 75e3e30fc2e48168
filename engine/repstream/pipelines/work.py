"""What a pipeline does with a message, by its type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from repstream.errors import InvalidValue, ProcessingError
from repstream.messages.bsread import Message
from repstream.messages.bsread_header import Timestamp
from repstream.parameters.camera import packing
from repstream.parameters.pipeline import PipelineSettings
from repstream.pipelines.backgrounds import load_background
from repstream.pipelines.control import Folders
from repstream.processing.camera import View
from repstream.processing.pipeline import TRANSPARENT, Pipeline, Pulse

OF_PICTURE = {"image", "width", "height", "timestamp", "x_axis", "y_axis"}
"""Channels of a camera; others reach functions as `bsdata`."""

SHOWN: Mapping[str, Any] = {
    "no_client_timeout": 10,
    "queue_size": 10,
    "mode": "PUB",
    "block": True,
    "data_compression": None,
    "data_header_compression": None,
}
"""What the parameters of a message say about the output where the configuration does not."""

COMPRESSIONS = ("data_compression", "data_header_compression")


class Work(Protocol):
    """Channels of a message, from a message. Used from one thread."""

    def configure(self, configuration: Mapping[str, Any], settings: PipelineSettings) -> None:
        """Take another configuration; raises `Refused` and keeps the former one then."""

    def process(self, message: Message, timestamp: Timestamp) -> Mapping[str, Any] | None:
        """What is sent, None for nothing. Raises `ProcessingError`."""

    def close(self) -> None:
        """Let go of everything."""


def open_work(configuration: Mapping[str, Any], settings: PipelineSettings, folders: Folders) -> Work:
    """The work of a pipeline of this type. Raises `Refused`."""
    match settings.pipeline_type:
        case "processing":
            return Processing(configuration, settings, folders)
        case "store":
            return Storing(settings)
    raise InvalidValue("pipeline_type", f"{settings.pipeline_type} is not supported yet")


class Processing:
    """The image of a camera through the steps and the function of the configuration."""

    def __init__(
        self, configuration: Mapping[str, Any], settings: PipelineSettings, folders: Folders
    ) -> None:
        self._folders = folders
        self._pipeline = Pipeline(*self._arguments(configuration, settings))

    def configure(self, configuration: Mapping[str, Any], settings: PipelineSettings) -> None:
        self._pipeline.configure(*self._arguments(configuration, settings))

    def process(self, message: Message, timestamp: Timestamp) -> Mapping[str, Any] | None:
        found = dict(zip((c.name for c in message.header.channels), message.values, strict=True))
        others = {name: value for name, value in found.items() if name not in OF_PICTURE}
        return self._pipeline.process(view_of(found), Pulse(message.pulse_id, timestamp, others))

    def close(self) -> None:
        """Nothing is held."""

    def _arguments(self, configuration: Mapping[str, Any], settings: PipelineSettings) -> tuple[Any, Any]:
        if settings.function not in (None, "", TRANSPARENT):
            raise InvalidValue("function", f"{settings.function!r:.200}: scripts are not supported yet")
        wanted = configuration.get("image_background_enable")
        background = load_background(self._folders, configuration.get("image_background")) if wanted else None
        return {**configuration, **shown(configuration)}, background


def shown(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """What the parameters of a message say beyond the configuration."""
    added = {key: value for key, value in SHOWN.items() if configuration.get(key) is None}
    added |= {key: packing(configuration[key]) for key in COMPRESSIONS if configuration.get(key)}
    if configuration.get("function") is not None and configuration.get("reload") is None:
        added["reload"] = False
    return added


def view_of(found: Mapping[str, Any]) -> View:
    """The image among channels with its axes, which are pixels where it has none."""
    image = found.get("image")
    if not isinstance(image, np.ndarray):
        raise ProcessingError("the message has no channel image")
    if image.ndim == 1:  # an image of one row
        image = image[None, :]
    if image.ndim != 2:
        raise ProcessingError(f"the channel image has {image.ndim} dimensions")
    axes = (found.get(name) for name in ("x_axis", "y_axis"))
    return View(image, *(_axis(axis, size) for axis, size in zip(axes, image.shape[::-1], strict=True)))


def _axis(axis: Any, size: int) -> np.ndarray[Any, Any]:
    if axis is None:
        return np.arange(size, dtype=np.float32)
    return np.atleast_1d(np.asarray(axis))


class Storing:
    """The image alone, under the name of its camera."""

    def __init__(self, settings: PipelineSettings) -> None:
        self._channel = f"{settings.camera_name}:FPICTURE"

    def configure(self, configuration: Mapping[str, Any], settings: PipelineSettings) -> None:
        """Nothing of it can change."""

    def process(self, message: Message, timestamp: Timestamp) -> Mapping[str, Any] | None:
        if "image" not in message.header.index:
            raise ProcessingError("the message has no channel image")
        return {self._channel: message["image"]}

    def close(self) -> None:
        """Nothing is held."""
