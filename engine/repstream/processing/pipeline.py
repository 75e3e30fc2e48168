"""A pipeline: the steps of its configuration, then its function; what comes out are channels to send."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from repstream.errors import ProcessingError
from repstream.processing import channels
from repstream.processing.camera import View
from repstream.processing.channels import Channels
from repstream.processing.extras import need_scipy
from repstream.processing.geometry import native
from repstream.processing.steps import Steps

Array = NDArray[Any]
Timestamp = tuple[int, int]
"""Seconds and nanoseconds since 1970."""

TRANSPARENT = "transparent"
MERGE = "merge"


class Pulse(NamedTuple):
    """What an image belongs to: its id and time, and the other channels that came with it."""

    id: int
    timestamp: Timestamp
    data: Mapping[str, Any] = MappingProxyType({})


Function = Callable[[View, Pulse, Mapping[str, Any]], Channels | None]
"""Makes channels of a processed image, its pulse and the pipeline's parameters; None sends nothing."""


class Rest(NamedTuple):
    """An image after the steps, and the function that is left to call."""

    view: View
    pulse: Pulse
    parameters: Mapping[str, Any]
    function: Function

    def __call__(self, function: Function | None = None) -> Channels | None:
        """The channels; of another `function` where one is given (the same in another process, say)."""
        return (function or self.function)(self.view, self.pulse, self.parameters)


class Pipeline:
    """Images in, channels out; what it has to remember (means of images) is its own.

    `configuration` has the keys of a pipeline, completed by what its messages are to say about it.
    `background` is the image that `image_background` names; None: nothing is subtracted. `function` is
    the user's; without one the configuration's `function` says which of those that are built in.

    Not for several threads at once.
    """

    def __init__(
        self,
        configuration: Mapping[str, Any],
        background: Array | None = None,
        function: Function | None = None,
    ) -> None:
        self.configure(configuration, background, function)

    def configure(
        self,
        configuration: Mapping[str, Any],
        background: Array | None = None,
        function: Function | None = None,
    ) -> None:
        """Take another configuration from the next image on; means of images begin anew.

        Raises InvalidValue for a key whose value makes no sense, ProcessingError for what needs an extra that
        is not installed; the former configuration stays then.
        """
        steps = Steps(configuration, background)
        channels.slicing(configuration)
        made = function or _built_in(configuration)
        self._steps, self._function, self._parameters = steps, made, dict(configuration)
        if steps.background is not None:
            self._parameters["background_data"] = steps.background
        name = str(configuration.get("name") or "")
        self._notify = bool(configuration.get("notify_on_error", name.endswith("_sp")))

    def process(self, given: View, pulse: Pulse) -> Channels | None:
        """The channels of one image, in the order in which they are sent.

        A value of None is known, and not computed for this image. None instead of channels sends
        nothing: the image went into a mean, or the function had nothing to say.

        Raises ProcessingError where the image cannot be processed as configured. With `notify_on_error`
        an image of zeros is the answer to that, and the reason in its parameters.
        """
        rest = self.begin(given, pulse)
        return None if rest is None else rest()

    def begin(self, given: View, pulse: Pulse) -> Rest | None:
        """As `process`, without the function: what is left to do, which any thread may do at any time.

        None where there is nothing left. The image is the one that was given where no step had to change
        it, so it must stay as it is until then.
        """
        try:
            view = self._steps(given._replace(image=native(given.image)))
        except (ProcessingError, ValueError, MemoryError) as error:
            if not self._notify:
                raise error if isinstance(error, ProcessingError) else ProcessingError(str(error)) from error
            blank = given._replace(image=np.zeros_like(given.image))
            return Rest(blank, pulse, {**self._parameters, "processing_error": str(error)}, _picture)
        return None if view is None else Rest(view, pulse, self._parameters, self._function)


def default(view: View, pulse: Pulse, parameters: Mapping[str, Any]) -> Channels:
    """The function of pipelines that name none: everything about the beam."""
    return channels.analysed(view, pulse.timestamp, parameters)


def merge(view: View, pulse: Pulse, parameters: Mapping[str, Any]) -> Channels:
    """The function of that name: what the default one computes, and the other channels of the pulse."""
    return {**default(view, pulse, parameters), **pulse.data}


def transparent(view: View, pulse: Pulse, parameters: Mapping[str, Any]) -> Channels:
    """The function of that name: the image goes through."""
    return channels.transparent(view, pulse.timestamp, parameters)


def _picture(view: View, pulse: Pulse, parameters: Mapping[str, Any]) -> Channels:
    return channels.picture(view, parameters)


def _built_in(configuration: Mapping[str, Any]) -> Function:
    if configuration.get("function") == TRANSPARENT:
        return transparent
    need_scipy("the default function of pipelines")
    return merge if configuration.get("function") == MERGE else default
