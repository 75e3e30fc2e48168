"""The cameras of a server: those that are saved, their running instances, and single images of them."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Protocol

import numpy.typing as npt

from repstream.errors import Refused, UnknownInstance
from repstream.instances.description import InstanceInfo, StreamPlace
from repstream.instances.protocol import Registry
from repstream.instances.saved.configurations import Configurations, Document
from repstream.instances.stream_images import images
from repstream.parameters.camera import DEFAULTS
from repstream.pipelines.configurations import complete

SIMULATION = "simulation"
"""A camera that is always there, unless one of this name is saved."""

PATIENCE = 5.0
"""Seconds that a camera has to send an image, or to say what is wrong."""

GEOMETRY_KEYS = ("mirror_x", "mirror_y", "rotate", "roi", "image_background", "binning_x", "binning_y")
"""What changes an image on its way from the source."""

CLIENT_TIMEOUT = "no_client_timeout"
FOR_EVER: Mapping[str, Any] = {CLIENT_TIMEOUT: 0}
"""What has an instance run also while nobody listens."""

_RAW = "{} (raw)"
_RAW_END = 3.0
_READ_BY_ONE = ("bsread", "bschannel", "array10")
"""Sources that divide their images among those who read them."""


class Cameras(Protocol):
    """Where the streams of cameras are: here, or at a camera server elsewhere."""

    def names(self) -> list[str]:
        """The names of all cameras."""

    def stream(self, name: str) -> StreamPlace:
        """Where a camera's stream is, which is started if need be; raises `RepstreamError`."""


class SavedCameras:
    """Cameras by name or alias; fills `Cameras`. Thread-safe."""

    def __init__(self, instances: Registry, configurations: Configurations) -> None:
        self.instances = instances
        self.configurations = configurations
        self._configuring: dict[str, threading.Lock] = {}

    def names(self) -> list[str]:
        return sorted({*self.configurations.names(), SIMULATION})

    def stamps(self) -> dict[str, int]:
        """The names of all, each with what changes when its configuration does."""
        return {SIMULATION: 0, **self.configurations.stamps()}

    def resolve(self, name: str) -> str:
        """The name of the camera that is called so, which may be by an alias."""
        if name in self.configurations or name == SIMULATION:
            return name
        return self.configurations.aliases().get(name, name)

    def configuration(self, name: str) -> Document:
        """The saved configuration with all defaults; raises `Refused`."""
        name = self.resolve(name)
        if name == SIMULATION and name not in self.configurations:
            saved = {"name": SIMULATION, "source": SIMULATION, "source_type": SIMULATION}
        else:
            saved = self.configurations.read(name)
        return complete("camera", saved)

    def ready(self, name: str) -> Document:
        """The configuration that an instance is started with; raises `Refused`."""
        return self.configuration(name)

    def configure(self, name: str, document: Mapping[str, Any]) -> Document:
        """Save a configuration, and have a running camera take it at once; both or neither.

        Raises `Refused`; then what was saved so far is saved still.
        """
        name = self.resolve(name)
        whole = complete("camera", {**document, "name": name})
        with self._configuring.setdefault(name, threading.Lock()):
            self._configure(name, whole)
        return whole

    def delete(self, name: str) -> None:
        """Forget a configuration; one that runs goes on."""
        self.configurations.delete(name)

    def start(self, name: str) -> InstanceInfo:
        """The running camera, started if need be; raises `RepstreamError`."""
        name = self.resolve(name)
        with suppress(UnknownInstance):
            return self.instances.get(name)
        return self.instances.ensure(name, self.configuration(name))

    def start_for_ever(self, instance_id: str, name: str) -> InstanceInfo:
        """The running camera `instance_id`, else one as `name` is saved that runs without clients too."""
        with suppress(UnknownInstance):
            return self.instances.get(instance_id)
        return self.instances.ensure(instance_id, {**self.configuration(name), **FOR_EVER})

    def stream(self, name: str) -> StreamPlace:
        return self.start(name).place

    def geometry(self, name: str) -> tuple[int, int]:
        """Width and height as streamed; raises `Refused` where the camera sends nothing."""
        info = self._settled(self.start(name))
        if info.camera_geometry is None:
            raise self._offline(info)
        return info.camera_geometry

    def problem(self, name: str) -> str:
        """Why a camera is not online; empty where it is. Raises `Refused` for one that is not known."""
        self.configuration(name)
        return self._settled(self.start(name)).message

    def image(self, name: str, raw: bool = False) -> npt.NDArray[Any]:
        """The next image, [height, width]; `raw`: as the source gives it. Raises `Refused`."""
        info = self._raw(name) if raw else self.start(name)
        taken = images(info.place, PATIENCE)
        try:
            return next(taken).copy()
        except Refused:
            raise self._offline(self.instances.get(info.name)) from None
        finally:
            taken.close()  # type: ignore[attr-defined]  # a generator

    def _configure(self, name: str, whole: Document) -> None:
        before = self.configurations.read(name) if name in self.configurations else None
        self.configurations.write(name, whole)
        try:
            with suppress(UnknownInstance):
                running = self.instances.get(name).config.get(CLIENT_TIMEOUT)
                saved = (before or {}).get(CLIENT_TIMEOUT)
                # A permanent camera runs without clients, whatever is saved, and goes on doing so.
                stays = running == FOR_EVER[CLIENT_TIMEOUT] != saved
                self.instances.reconfigure(name, {**whole, **FOR_EVER} if stays else whole, replace=True)
        except Refused:
            if before is None:
                self.configurations.delete(name)
            else:
                self.configurations.write(name, before)
            raise

    def _raw(self, name: str) -> InstanceInfo:
        """An instance beside the camera's own that leaves images as they are."""
        name = self.resolve(name)
        whole = self.configuration(name)
        if all(whole.get(key) == DEFAULTS[key] for key in GEOMETRY_KEYS):
            return self.start(name)
        if whole["source_type"] in _READ_BY_ONE:
            raise Refused(
                "raw", f"'{name}' has a source that only one can read: ask for the image without raw"
            )
        kept = {key: value for key, value in whole.items() if key not in (*GEOMETRY_KEYS, "port")}
        return self.instances.ensure(_RAW.format(name), {**kept, "no_client_timeout": _RAW_END})

    def _settled(self, info: InstanceInfo) -> InstanceInfo:
        """Known to send, or to be unable to; as it is after `PATIENCE`."""
        due = time.monotonic() + PATIENCE
        while info.camera_geometry is None and not info.message and time.monotonic() < due:
            time.sleep(0.02)
            info = self.instances.get(info.name)
        return info

    def _offline(self, info: InstanceInfo) -> Refused:
        source = info.config.get("source") or info.name
        reason = info.message or f"no image came within {PATIENCE:g} s"
        return Refused("camera", f"Camera with prefix {source} is offline: {reason}")
