"""A camera: images of its source, turned and cut as configured, with their axes, as six channels."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from repstream.errors import MalformedMessage, ProcessingError, Refused
from repstream.messages import formats
from repstream.messages.frame import Frame, source_time
from repstream.messages.pixels import array_of
from repstream.parameters.camera import CameraSettings, packing
from repstream.pipelines import control
from repstream.pipelines.backgrounds import load_background
from repstream.pipelines.camera_sources import Context, Input, open_input
from repstream.pipelines.configurations import settings as settings_of
from repstream.pipelines.control import Folders
from repstream.pipelines.messages import Encoder, Made
from repstream.pipelines.received import Received
from repstream.processing.camera import Geometry
from repstream.sources.source import Source

ONLINE_TIME = 3.0
"""Seconds that a camera has to answer when it is started."""

OF_GEOMETRY = {
    "binning_x",
    "binning_y",
    "binning_mean",
    "mirror_x",
    "mirror_y",
    "rotate",
    "roi",
    "camera_calibration",
    "image_background",
}
OF_OUTPUT = {"image_compression", "scalar_compression", "data_header_compression", "simulate_pulse_id"}
ELSEWHERE = {"alias", "group", "no_client_timeout", "port", "queue_size", "protocol"}
"""Keys whose change leaves the source as it is."""

TICKS = 100
"""Simulated pulse ids a second."""


class CameraJob:
    """Fills `Job`. Raises `Refused` where the configuration cannot be used, or the camera is offline."""

    def __init__(
        self, name: str, configuration: Mapping[str, Any], context: Context, folders: Folders
    ) -> None:
        self._name = name
        self._context = context
        self._folders = folders
        self._configuration = dict(configuration)
        settings = self._settings = _settings(configuration)
        self._geometry, self._encoder = self._made(configuration, settings)
        self._input = self._opened(settings)
        self.received = Received()
        self.problem = ""
        self.lost: dict[str, int] = {}
        self.skipped: dict[str, int] = {}
        self.geometry: tuple[int, int] | None = None
        self.frame_shape: tuple[int, int, int] | None = None
        self.finished = False
        self._number = 0
        self._last_tick = 0

    @property
    def source(self) -> Source:
        return self._input.source

    @property
    def no_client_timeout(self) -> float:
        return self._settings.no_client_timeout

    @property
    def header_changes(self) -> int:
        return self._encoder.changes

    def configure(self, configuration: Mapping[str, Any]) -> None:
        settings = _settings(configuration)
        geometry, encoder = self._made(configuration, settings)
        changed = {
            key
            for key in {*configuration, *self._configuration}
            if configuration.get(key) != self._configuration.get(key)
        }
        if changed - OF_GEOMETRY - OF_OUTPUT - ELSEWHERE:
            opened = self._opened(settings)
            self._input.source.close()
            self._input = opened
        if changed & OF_OUTPUT:
            self._encoder = encoder
        self._geometry, self._settings = geometry, settings
        self._configuration = dict(configuration)
        self.geometry = None  # until the next image

    def take(self, parts: Sequence[Any], now: float) -> Sequence[Frame]:
        try:
            frame = self._input.decode(parts)
            if not isinstance(frame, Frame):
                self.received.other(parts)
                return ()
            image = array_of(frame)
        except MalformedMessage as error:
            self.received.malformed(error, parts)
            self.problem = str(error)
            return ()
        self.received.frame(frame)
        try:
            view = self._geometry(image)
        except ProcessingError as error:
            self.problem = str(error)
            self.lost["geometry"] = self.lost.get("geometry", 0) + 1
            return ()
        self.problem = ""
        height, width = view.image.shape
        self.geometry, self.frame_shape = (width, height), (width, height, view.image.itemsize)
        stamp = source_time(formats.attributes(frame)) or divmod(time.time_ns(), 10**9)
        channels = {
            "image": view.image,
            "timestamp": stamp[0] + stamp[1] / 1e9,
            "width": width,
            "height": height,
            "x_axis": view.x_axis,
            "y_axis": view.y_axis,
        }
        return (self._encoder.frame(Made(self._pulse_id(frame.frame_id), stamp, channels)),)

    def beam(self) -> None:
        """A camera does not look for it."""

    woken = None
    busy = False

    def collect(self) -> Sequence[Frame]:
        """All is made at once."""
        return ()

    def rest(self) -> Sequence[Frame]:
        return ()

    def hear(self, found: control.Input) -> None:
        """A camera asks for nothing."""

    def tick(self, now: float) -> None:
        source = self._input.source
        source.update()
        if not source.connected:
            self.problem = source.problem or "nobody sends"

    def close(self) -> None:
        self._input.source.close()

    def _pulse_id(self, frame_id: int) -> int:
        self._number += 1
        if self._settings.simulate_pulse_id:
            self._last_tick = max(self._last_tick + 1, int(time.time() * TICKS))
            return self._last_tick
        return self._input.first_id + self._number - 1 if self._input.counts else frame_id

    def _made(self, configuration: Mapping[str, Any], settings: CameraSettings) -> tuple[Geometry, Encoder]:
        background = load_background(self._folders, settings.image_background)
        encoder = Encoder(
            image_packing=packing(settings.image_compression),
            packing=packing(settings.scalar_compression),
            header_packing=packing(settings.data_header_compression),
        )
        return Geometry(configuration, background), encoder

    def _opened(self, settings: CameraSettings) -> Input:
        opened = open_input(self._name, settings, self._context, self._folders)
        if problem := _offline(opened):
            opened.source.close()
            raise Refused(self._name, f"Camera with prefix {settings.source} is offline: {problem}")
        return opened


def _offline(opened: Input) -> str:
    """Why the camera does not answer in time; its first image may come later."""
    end = time.monotonic() + ONLINE_TIME
    while problem := opened.offline():
        if time.monotonic() > end:
            return problem
        time.sleep(0.01)
    return ""


def _settings(configuration: Mapping[str, Any]) -> CameraSettings:
    found = settings_of("camera", configuration)
    assert isinstance(found, CameraSettings)
    return found
