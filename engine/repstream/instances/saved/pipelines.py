"""The pipelines of a server: those that are saved, and running instances by id."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

from repstream.errors import InvalidValue, Refused, UnknownInstance
from repstream.instances.description import InstanceInfo
from repstream.instances.protocol import Registry
from repstream.instances.saved.backgrounds import Backgrounds
from repstream.instances.saved.cameras import FOR_EVER, Cameras
from repstream.instances.saved.configurations import Configurations, Document
from repstream.instances.saved.names import check_name
from repstream.instances.stream_images import mean_image
from repstream.pipelines.configurations import changed, complete

MOST_IMAGES = 10_000
"""Images that a background is the mean of, at most."""

PATIENCE = 10.0
"""Seconds that a camera has to send the next of them."""


class SavedPipelines:
    """Pipelines and their instances. Thread-safe.

    `fill_in`: whether a pipeline that subtracts a background and names none gets the latest of its camera.
    """

    def __init__(
        self,
        instances: Registry,
        configurations: Configurations,
        backgrounds: Backgrounds,
        cameras: Cameras,
        fill_in: bool = False,
    ) -> None:
        self.instances = instances
        self.configurations = configurations
        self.backgrounds = backgrounds
        self.cameras = cameras
        self._fill_in = fill_in
        self._saving = threading.Lock()

    def names(self) -> list[str]:
        """The names of all that are saved."""
        return self.configurations.names()

    def stamps(self) -> dict[str, int]:
        """The names of all, each with what changes when its configuration does."""
        return self.configurations.stamps()

    def configuration(self, name: str) -> Document:
        """The saved configuration with all defaults; raises `Refused`."""
        return complete("pipeline", self.configurations.read(name))

    def ready(self, name: str) -> Document:
        """The saved configuration as an instance is started with it; raises `Refused`."""
        return self._completed(self.configurations.read(name))

    def save(self, name: str, document: Mapping[str, Any]) -> Document:
        """Save a configuration with its defaults; instances that run keep theirs. Raises `Refused`."""
        whole = complete("pipeline", {**document, "name": name})
        return self.configurations.write(name, whole)

    def save_change(self, name: str, change: Mapping[str, Any]) -> Document:
        """Change a saved configuration in part, as `update` does a running one. Raises `Refused`."""
        with self._saving:
            return self.configurations.write(name, changed("pipeline", self.configuration(name), change))

    def start_for_ever(self, instance_id: str, name: str) -> InstanceInfo:
        """The instance of this id, else one of a saved pipeline that runs without clients too."""
        with suppress(UnknownInstance):
            return self.instances.get(instance_id)
        whole = self._completed({**self.configurations.read(name), **FOR_EVER})
        return self.instances.ensure(instance_id, whole)

    def create(
        self, name: str | None, document: Mapping[str, Any] | None, instance_id: str | None
    ) -> InstanceInfo:
        """Start an instance of a saved pipeline, of a configuration, or of the one changed by the other."""
        if name is None and not document:
            raise Refused(
                "pipeline",
                "You must specify either the pipeline name or the configuration for the pipeline.",
            )
        saved = {} if name is None else self.configurations.read(name)
        return self._start(instance_id or str(uuid.uuid4()), {**saved, **(document or {})})

    def ensure(self, instance_id: str) -> InstanceInfo:
        """The instance of this id, else one of the saved pipeline of this name; raises `Refused`."""
        with suppress(UnknownInstance):
            return self.instances.get(instance_id)
        if instance_id not in self.configurations:
            raise Refused(
                "pipeline",
                f"Instance '{instance_id}' is not present on server and it is not a saved pipeline name.",
            )
        whole = self.ready(instance_id)
        return self.instances.ensure(instance_id, whole)

    def share(self, document: Mapping[str, Any] | None) -> InstanceInfo:
        """A read-only instance that runs with this configuration, for all who ask for the same."""
        if not document:
            return self.create(None, None, None)
        return self.instances.share(self._completed(document))

    def update(self, instance_id: str, change: Any) -> Document:
        """Change a running instance in part; the whole configuration then. Raises `Refused`."""
        if not isinstance(change, Mapping) or not change:
            raise Refused("config", "Config updates cannot be empty.")
        running = self.instances.get(instance_id)
        camera = change.get("camera_name", running.camera_name)
        if camera != running.camera_name and not running.read_only:
            raise Refused(
                "camera_name",
                "Cannot change the camera name on a running instance. Stop the instance first.",
            )
        change = self._filled_in(change, running.config)
        self._check_background(change)
        return self.instances.reconfigure(instance_id, change)

    def collect_background(self, camera: str, count: int) -> str:
        """Take a background of so many images of a camera that runs or is started; its id."""
        check_name("camera", camera)
        if not 1 <= count <= MOST_IMAGES:
            raise InvalidValue("n_images", f"must be a number from 1 to {MOST_IMAGES}, not {count}")
        image = mean_image(self.cameras.stream(camera), count, PATIENCE)
        return self.backgrounds.collected(camera, image, datetime.now())

    def _start(self, instance_id: str, document: Document) -> InstanceInfo:
        check_name("pipeline", instance_id)
        return self.instances.start(instance_id, self._completed(document))

    def _completed(self, document: Mapping[str, Any]) -> Document:
        whole = complete("pipeline", document)
        whole = self._filled_in(whole, {})
        self._check_background(whole)
        return whole

    def _filled_in(self, document: Mapping[str, Any], present: Mapping[str, Any]) -> Document:
        """With the latest background of the camera, where one is wanted and none is named, nor was before."""
        found = {**present, **document}
        camera, named = found.get("camera_name"), found.get("image_background")
        if not (self._fill_in and camera and document.get("image_background_enable") and not named):
            return dict(document)
        with suppress(Refused):
            return {**document, "image_background": self.backgrounds.latest(str(camera))}
        return dict(document)

    def _check_background(self, document: Mapping[str, Any]) -> None:
        if (background := document.get("image_background")) is not None:
            self.backgrounds.path(str(background))
