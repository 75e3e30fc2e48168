"""A camera: images of its source, turned and cut as configured, with their axes, as six channels."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import partial
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
from repstream.pipelines.encryption import check_keys, curve
from repstream.pipelines.forwarder import Forwarder
from repstream.pipelines.job import Inlet
from repstream.pipelines.messages import Encoder, Made
from repstream.pipelines.received import Received
from repstream.pipelines.sorting import Lanes
from repstream.processing.camera import Geometry

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
OF_FORWARDER = {"forwarder_port", "image_compression"}
ELSEWHERE = {
    "alias",
    "group",
    "no_client_timeout",
    "port",
    "queue_size",
    "protocol",
    "forwarder_port",
    "curve_key",
    "curve_peers",
}
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
        self._lanes = _lanes_of(self._input)
        try:
            self._forwarder = self._forwarding(settings)
        except Refused:
            self._input.close()
            raise
        self.received = Received()
        self.problem = ""
        self._lost: dict[str, int] = {}
        self.skipped: dict[str, int] = {}
        self.geometry: tuple[int, int] | None = None
        self.frame_shape: tuple[int, int, int] | None = None
        self.finished = False
        self._number = 0
        self._last_tick = 0

    @property
    def inlets(self) -> Sequence[Inlet]:
        return [
            Inlet(source, partial(self._take, lane))
            for lane, source in enumerate(self._input.sources)
            if self._lanes.has_room(lane)
        ]

    @property
    def more_clients(self) -> int | None:
        return None if self._forwarder is None else self._forwarder.clients

    @property
    def lost(self) -> Mapping[str, int]:
        forwarded = self._forwarder.lost if self._forwarder is not None else 0
        return {**self._lost, **({"forwarder": forwarded} if forwarded else {})}

    @property
    def no_client_timeout(self) -> float:
        return self._settings.no_client_timeout

    @property
    def header_changes(self) -> int:
        return self._encoder.changes

    def configure(self, configuration: Mapping[str, Any]) -> None:
        settings = _settings(configuration)
        check_keys(settings)
        geometry, encoder = self._made(configuration, settings)
        changed = {
            key
            for key in {*configuration, *self._configuration}
            if configuration.get(key) != self._configuration.get(key)
        }
        opened = self._opened(settings) if changed - OF_GEOMETRY - OF_OUTPUT - ELSEWHERE else None
        if changed & OF_FORWARDER:
            try:
                self._forward_to(settings)
            except Refused:
                if opened is not None:
                    opened.close()
                raise
        if opened is not None:
            self._input.close()
            self._input, self._lanes = opened, _lanes_of(opened)
        if changed & OF_OUTPUT:
            self._encoder = encoder
        self._geometry, self._settings = geometry, settings
        self._configuration = dict(configuration)
        self.geometry = None  # until the next image

    def _take(self, lane: int, parts: Sequence[Any], now: float) -> Sequence[Frame]:
        """What goes out for a message that came by one of the connections."""
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
        return self._all_made(self._lanes.put(lane, frame.frame_id, (frame, image), now))

    def _all_made(self, images: Sequence[tuple[Frame, Any]]) -> Sequence[Frame]:
        return [made for frame, image in images for made in self._made_of(frame, image)]

    def _made_of(self, frame: Frame, image: Any) -> Sequence[Frame]:
        """What goes out for an image, whose turn it is."""
        self.received.frame(frame)
        try:
            view = self._geometry(image)
        except ProcessingError as error:
            self.problem = str(error)
            self._lost["geometry"] = self._lost.get("geometry", 0) + 1
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
        made = Made(self._pulse_id(frame.frame_id), stamp, channels)
        if self._forwarder is not None:
            self._forwarder.offer(made)
        return (self._encoder.frame(made),)

    def beam(self) -> None:
        """A camera does not look for it."""

    woken = None
    busy = False

    def collect(self) -> Sequence[Frame]:
        """All is made at once."""
        return ()

    def rest(self) -> Sequence[Frame]:
        return self._all_made(self._lanes.rest())

    def hear(self, found: control.Input) -> None:
        """A camera asks for nothing."""

    def tick(self, now: float) -> Sequence[Frame]:
        for source in self._input.sources:
            source.update()
            if not source.connected:
                self.problem = source.problem or "nobody sends"
        if self._forwarder is not None:
            self._forwarder.tick()
        return self._all_made(self._lanes.leaving(now))

    def close(self) -> None:
        self._input.close()
        if self._forwarder is not None:
            self._forwarder.close()

    def _pulse_id(self, frame_id: int) -> int:
        self._number += 1
        if self._settings.simulate_pulse_id:
            self._last_tick = max(self._last_tick + 1, int(time.time() * TICKS))
            return self._last_tick
        return self._input.first_id + self._number - 1 if self._input.counts else frame_id

    def _forwarding(self, settings: CameraSettings) -> Forwarder | None:
        if not settings.forwarder_port:
            return None
        kind = packing(settings.image_compression)
        return Forwarder(
            self._name,
            settings.forwarder_port,
            settings.queue_size,
            kind,
            self._context,
            **curve(settings),
        )

    def _forward_to(self, settings: CameraSettings) -> None:
        """Forward as another configuration says; raises `InvalidValue`, and nothing has changed then."""
        before = self._forwarder
        if before is not None and before.port == settings.forwarder_port:
            before.pack(packing(settings.image_compression))
            return
        self._forwarder = self._forwarding(settings)
        if before is not None:
            before.close()

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
            opened.close()
            raise Refused(self._name, f"Camera with prefix {settings.source} is offline: {problem}")
        return opened


def _lanes_of(opened: Input) -> Lanes[tuple[Frame, Any]]:
    return Lanes(len(opened.sources), opened.most)


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
