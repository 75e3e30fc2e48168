"""Which source a camera's configuration stands for, and how its messages become images."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from threading import Event
from typing import Any

import msgspec
import zmq

from repstream.errors import InvalidValue, StorageError
from repstream.files.image_stack import ImageStack
from repstream.messages import packed_image
from repstream.messages.formats import FrameDecoder
from repstream.messages.frame import Frame, NoImage
from repstream.messages.ntndarray import message_of, time_of
from repstream.messages.series import SeriesEnd, SeriesStart
from repstream.parameters.camera import CameraSettings
from repstream.parameters.curve import SCHEMES
from repstream.parameters.source import SourceConfig
from repstream.pipelines.configurations import check_choice
from repstream.pipelines.control import Folders
from repstream.pipelines.encryption import INPUT, curve
from repstream.pipelines.script_camera import ScriptSource
from repstream.pipelines.scripts import script_path
from repstream.processing.user_function import Limits
from repstream.sources.made import MadeSource
from repstream.sources.opening import open_source
from repstream.sources.simulated_camera import (
    HEIGHT,
    IMAGE_TYPES,
    PIXEL_TYPES,
    RATE,
    WIDTH,
    BeamImages,
    open_simulation,
)
from repstream.sources.simulation import Pace
from repstream.sources.source import Source

Decode = Callable[[Sequence[Any]], Frame | SeriesStart | SeriesEnd | NoImage]
Context = zmq.Context[zmq.Socket[bytes]]

BUFFERED = 100
"""Images that wait at a camera's input."""


class Input(msgspec.Struct, frozen=True):
    """A source, and what makes frames of its messages.

    `counts`: images are numbered from `first_id` on, whatever the source says. `beside`: further connections
    to the same sender, by which other images come; `most`: so many of one may wait for those of another.
    `offline` says why a camera
    that is asked before it sends (EPICS) does not answer: it is not started then.
    """

    source: Source
    decode: Decode
    counts: bool = False
    first_id: int = 0
    beside: tuple[Source, ...] = ()
    most: int = BUFFERED
    offline: Callable[[], str] = str

    @property
    def sources(self) -> tuple[Source, ...]:
        """All connections."""
        return (self.source, *self.beside)

    def close(self) -> None:
        for source in self.sources:
            source.close()


def open_input(name: str, settings: CameraSettings, context: Context, folders: Folders) -> Input:
    """Open the source of a camera. Raises `Refused` with the key and what is wrong."""
    extra = settings.model_extra or {}
    match settings.source_type:
        case "simulation":
            return Input(_simulation(settings, extra), FrameDecoder().decode)
        case "epics":
            return _epics(f"cam://{settings.source}", context)
        case "area_detector":
            return _epics(_area_detector(settings.source), context)
        case "bsread":
            return _bsread(name, settings, extra, context)
        case "bschannel":
            mode = _mode(extra)
            return Input(
                _addressed(settings, context, mode),
                FrameDecoder(str(extra.get("channel") or "")).decode,
            )
        case "array10":
            return Input(
                _addressed(settings, context, _mode(extra)),
                FrameDecoder().decode,
                counts=True,
                first_id=1,
            )
        case "stream":
            return Input(_addressed(settings, context, "SUB"), packed_image.decode)
        case "hdf5":
            return Input(_replay(settings), FrameDecoder().decode)
    return Input(_script(settings, extra, folders), FrameDecoder().decode)


def _bsread(name: str, settings: CameraSettings, extra: dict[str, Any], context: Context) -> Input:
    """Images that a camera's own server pushes, by one connection or several."""
    buffered = settings.buffer_size or 0
    address = str(extra.get("url") or _address_from_pv(settings.source))
    config = _config(address, "PULL", buffered or BUFFERED, **curve(settings, INPUT))
    decode = FrameDecoder(channel=f"{name}:FPICTURE").decode
    most = max(1, round(buffered * settings.buffer_threshold)) if buffered else BUFFERED
    first, *others = (open_source(config, context) for _ in range(settings.connections))
    return Input(first, decode, beside=tuple(others), most=most)


def _addressed(settings: CameraSettings, context: Context, mode: str) -> Source:
    return open_source(_config(settings.source, mode, BUFFERED, **curve(settings, INPUT)), context)


def _config(address: str, mode: str, buffered: int, **keys: str) -> SourceConfig:
    if (key := keys.get("curve_key")) and not address.startswith(SCHEMES):
        kinds = " and ".join(SCHEMES)
        raise InvalidValue("input_curve_key", f"{key} encrypts {kinds} only, not {address!r:.200}")
    try:
        return SourceConfig(address=address, mode=mode, buffer_size=buffered, **keys)
    except ValueError:
        raise InvalidValue("source", f"{address!r:.200} is no address of a stream") from None


def _epics(address: str, context: Context) -> Input:
    source: Any = open_source(_config(address, "PULL", BUFFERED), context)
    decode = FrameDecoder().decode
    if address.startswith("pva://"):
        return Input(source, decode)
    return Input(source, decode, offline=lambda: str(source.offline))


def _mode(extra: dict[str, Any]) -> str:
    return _one_of({"mode": str(extra.get("mode") or "").upper()}, "mode", "SUB", ("SUB", "PULL"))


def _area_detector(source: str) -> str:
    """The prefix as cam_server has it, without the last colon, or an address of our own."""
    if "://" in source:
        return source
    return f"ca://{source}:" if not source.endswith(":") else f"ca://{source}"


def _address_from_pv(prefix: str) -> str:
    # Only where such a camera is used: it takes the library of the extra "epics".
    from repstream.sources.epics_ca import read_text  # noqa: PLC0415

    return read_text(f"{prefix}:BSREADCONFIG")


def _simulation(settings: CameraSettings, extra: dict[str, Any]) -> MadeSource:
    width, height = (_size(extra, key, default) for key, default in (("size_x", WIDTH), ("size_y", HEIGHT)))
    image_type = _one_of(extra, "image_type", "beam", IMAGE_TYPES)
    dtype = _one_of(extra, "dtype", PIXEL_TYPES[0], PIXEL_TYPES)
    return open_simulation(BeamImages(width, height, image_type, dtype), settings.frame_rate or RATE)


def _one_of(extra: dict[str, Any], key: str, default: str, choices: tuple[str, ...]) -> str:
    chosen = extra.get(key) or default
    check_choice(key, chosen, choices)
    return str(chosen)


def _size(extra: dict[str, Any], key: str, default: int) -> int:
    size = extra.get(key) or default
    if not isinstance(size, int) or not 0 < size <= 100_000:
        raise InvalidValue(key, f"must be a number of pixels from 1 to 100000, not {size!r:.200}")
    return size


def _replay(settings: CameraSettings) -> MadeSource:
    path, _, dataset = settings.source.rpartition(":")
    if not path or not dataset:
        raise InvalidValue("source", f"must be FILE:/dataset, not {settings.source!r:.200}")
    try:
        stack = ImageStack(Path(path), dataset)
    except StorageError as error:
        raise InvalidValue("source", str(error)) from None
    stop = Event()

    def messages() -> Iterator[Sequence[Any]]:
        pace = Pace(settings.frame_rate or RATE)
        for number, image in enumerate(itertools.chain.from_iterable(itertools.repeat(stack))):
            pace.wait(stop)
            if stop.is_set():
                stack.close()
                return
            yield message_of(number, image, _now())

    return MadeSource(messages(), stop)


def _script(settings: CameraSettings, extra: dict[str, Any], folders: Folders) -> ScriptSource:
    """A user's class; raises `InvalidValue` where it cannot be loaded."""
    path = script_path("class", f"{extra.get('class') or ''}.py", folders.scripts)
    limits = Limits(settings.read_timeout, memory=settings.class_memory << 20)
    return ScriptSource(path, settings.model_dump(mode="json"), settings.frame_rate or 0.0, limits)


def _now() -> dict[str, int | float | bool]:
    return time_of(*divmod(time.time_ns(), 10**9))
