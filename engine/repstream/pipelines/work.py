"""What a pipeline does with a message, by its type."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from threading import Event
from typing import Any, Protocol, TypeVar

import numpy as np

from repstream.errors import FunctionError, InvalidValue, ProcessingError
from repstream.messages.bsread import Message
from repstream.messages.bsread_header import Timestamp
from repstream.messages.frame import Frame
from repstream.messages.header import size_of
from repstream.parameters.camera import packing
from repstream.parameters.pipeline import PipelineSettings
from repstream.pipelines.backgrounds import load_background
from repstream.pipelines.control import Folders
from repstream.pipelines.functions import NamedFunction
from repstream.pipelines.messages import Made
from repstream.pipelines.sorting import Sorter
from repstream.processing.camera import View
from repstream.processing.pipeline import MERGE, TRANSPARENT, Pipeline, Pulse
from repstream.processing.user_function import UserFunction
from repstream.sources.simulation import Pace

T = TypeVar("T")

AGAIN = 0.1
"""Seconds until a function that makes data and has failed is called again."""

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


NOTHING: Mapping[str, Any] = {}

Result = Sequence[Made | Frame]
"""Channels to send, or messages that go on as they are."""

Task = Callable[[int], Result]
"""What is left to do for a message, by the thread of this number (0 where there are none)."""


class Work(Protocol):
    """What is done with messages, in their order; tasks may be done by several threads at once."""

    def configure(self, configuration: Mapping[str, Any], settings: PipelineSettings) -> None:
        """Take another configuration; raises `Refused` and keeps the former one then."""

    def begin(
        self, message: Message, timestamp: Timestamp, beside: Mapping[str, Any] = NOTHING
    ) -> Task | None:
        """What is left to do for a message, None for nothing. It, and its task, raise `ProcessingError`.

        `beside`: channels of another stream that belong to the same pulse.
        """

    def rest(self) -> Result:
        """What is held back, at the end."""

    def close(self) -> None:
        """Let go of everything."""


def open_work(
    configuration: Mapping[str, Any], settings: PipelineSettings, folders: Folders, threads: int
) -> Work:
    """The work of a pipeline of this type, whose tasks so many threads may do. Raises `Refused`."""
    match settings.pipeline_type:
        case "processing":
            return Processing(configuration, settings, folders, threads)
        case "store":
            return Storing(settings)
        case "stream":
            return Streaming(configuration, settings, folders, threads)
        case "custom":
            return Making(configuration, settings, folders)
        case "fanout" | "fanin":
            return Forwarding(settings)
    raise InvalidValue("pipeline_type", f"{settings.pipeline_type} is not supported yet")


def _made(pulse: Pulse, channels: Mapping[str, Any] | None) -> Result:
    return () if channels is None else (Made(pulse.id, pulse.timestamp, channels),)


class _Immediate:
    """Work that holds nothing back, with the function of a user where one is named."""

    def __init__(self, function: NamedFunction) -> None:
        self._function = function

    def rest(self) -> Result:
        return ()

    def close(self) -> None:
        self._function.close()


class Processing(_Immediate):
    """The image of a camera through the steps and the function of the configuration."""

    def __init__(
        self, configuration: Mapping[str, Any], settings: PipelineSettings, folders: Folders, threads: int
    ) -> None:
        super().__init__(NamedFunction("image", folders, threads))
        self._folders = folders
        self._pipeline = self._configured(configuration, settings, Pipeline)

    def configure(self, configuration: Mapping[str, Any], settings: PipelineSettings) -> None:
        self._configured(configuration, settings, self._pipeline.configure)

    def begin(
        self, message: Message, timestamp: Timestamp, beside: Mapping[str, Any] = NOTHING
    ) -> Task | None:
        found = values_of(message)
        others = {name: value for name, value in found.items() if name not in OF_PICTURE} | dict(beside)
        pulse = Pulse(message.pulse_id, timestamp, others)
        rest = self._pipeline.begin(view_of(found), pulse)
        return None if rest is None else lambda thread: _made(pulse, rest(self._function.of(thread)))

    def _configured(
        self, configuration: Mapping[str, Any], settings: PipelineSettings, make: Callable[..., T]
    ) -> T:
        wanted = configuration.get("image_background_enable")
        background = load_background(self._folders, configuration.get("image_background")) if wanted else None
        name = "" if settings.function in (None, TRANSPARENT, MERGE) else settings.function or ""
        with self._function.becoming(name, settings) as function:
            return make({**configuration, **shown(configuration)}, background, function)


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

    def begin(self, message: Message, timestamp: Timestamp, beside: Mapping[str, Any] = NOTHING) -> Task:
        if "image" not in message.header.index:
            raise ProcessingError("the message has no channel image")
        made = Made(message.pulse_id, timestamp, {self._channel: message["image"]})
        return lambda thread: (made,)

    def rest(self) -> Result:
        return ()

    def close(self) -> None:
        """Nothing is held."""


class Streaming(_Immediate):
    """The channels of any stream, or what a function of a user makes of them."""

    def __init__(
        self, configuration: Mapping[str, Any], settings: PipelineSettings, folders: Folders, threads: int
    ) -> None:
        super().__init__(NamedFunction("stream", folders, threads))
        self._parameters: Mapping[str, Any] = {}
        self.configure(configuration, settings)

    def configure(self, configuration: Mapping[str, Any], settings: PipelineSettings) -> None:
        with self._function.becoming(settings.function or "", settings):
            self._parameters = configuration

    def begin(self, message: Message, timestamp: Timestamp, beside: Mapping[str, Any] = NOTHING) -> Task:
        channels = values_of(message) | dict(beside)
        pulse, parameters = Pulse(message.pulse_id, timestamp, channels), self._parameters

        def task(thread: int) -> Result:
            function = self._function.of(thread)
            return _made(pulse, pulse.data if function is None else function.stream(pulse, parameters))

        return task


class Making(_Immediate):
    """What a function of a user makes by itself; `messages` runs it, in another thread than all else."""

    def __init__(
        self, configuration: Mapping[str, Any], settings: PipelineSettings, folders: Folders
    ) -> None:
        super().__init__(NamedFunction("custom", folders))
        self._called: UserFunction | None = None
        self._parameters: Mapping[str, Any] = {}
        self._rate = 0.0
        if not settings.function:
            raise InvalidValue("function", "a pipeline of the type custom needs a function")
        self.configure(configuration, settings)

    def configure(self, configuration: Mapping[str, Any], settings: PipelineSettings) -> None:
        with self._function.becoming(settings.function or "", settings) as function:
            self._called, self._parameters = function, configuration
        self._rate = settings.max_frame_rate or 0.0

    def messages(self, stop: Event) -> Iterator[Sequence[Made | FunctionError]]:
        """What is made until `stop`, or why nothing is.

        The function is called as often as the maximum rate allows; with no pulse ids of its own they count
        from 0, and without times what it makes has the time of its end.
        """
        pace, unnumbered = Pace(self._rate), 0
        initialised: int | None = None  # its process: a new one has nothing of what the former one set up
        while not stop.is_set() and (function := self._called) is not None:
            if pace.rate != self._rate:
                pace = Pace(self._rate)
            pace.wait(stop)
            try:
                is_new = initialised is None or function.process_id != initialised
                made = function.make(self._parameters, is_new)
            except FunctionError as error:
                yield (error,)
                stop.wait(AGAIN)
                continue
            initialised = function.process_id
            if made is not None:
                whole = made.completed(unnumbered)
                unnumbered += made.pulse_id < 0
                yield (Made(whole.pulse_id, whole.timestamp, whole.channels),)

    def begin(self, message: Message, timestamp: Timestamp, beside: Mapping[str, Any] = NOTHING) -> None:
        """It receives nothing."""


class Forwarding:
    """Messages as they came; `pid_buffer` of them are held and put in the order of their ids."""

    def __init__(self, settings: PipelineSettings) -> None:
        self._sorter: Sorter[Frame] = Sorter()
        self.configure({}, settings)

    def configure(self, configuration: Mapping[str, Any], settings: PipelineSettings) -> None:
        self._sorter.length = settings.pid_buffer or 0

    def begin(self, message: Message, timestamp: Timestamp, beside: Mapping[str, Any] = NOTHING) -> Task:
        leaving = self._sorter.put(message.pulse_id, frame_of(message))
        return lambda thread: leaving

    def rest(self) -> Result:
        return self._sorter.rest()

    def close(self) -> None:
        """What is held goes with it."""


def frame_of(message: Message) -> Frame:
    """A message as it goes on unchanged."""
    channel = next((c for c in message.header.channels if len(c.shape) == 2), None)
    shape, kind = ((), "uint8") if channel is None else (channel.shape, channel.type)
    return Frame(
        message.pulse_id, shape, kind, False, "", message.parts, (), sum(map(size_of, message.parts))
    )


def values_of(message: Message) -> dict[str, Any]:
    """The values of a message by channel."""
    return dict(zip((c.name for c in message.header.channels), message.values, strict=True))
