"""The engine's values in areaDetector's words, and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from repstream.parameters.facts import Value
from repstream.states import AcquisitionState, is_writing
from repstream_epics.areadetector.rows import Held, Live

WRITER = "writers.1."
STATE, ACQUISITION, GATE = f"{WRITER}state", f"{WRITER}acq_state", f"{WRITER}gate"
MAX_LONG = 2**31 - 1

DATA_TYPES = (
    "Int8",
    "UInt8",
    "Int16",
    "UInt16",
    "Int32",
    "UInt32",
    "Int64",
    "UInt64",
    "Float32",
    "Float64",
)
_COMPRESSIONS = {"None": "none", "BSLZ4": "bitshuffle_lz4"}
_CAPTURING = frozenset(
    {
        AcquisitionState.WAITING_IMAGES,
        AcquisitionState.ACQUIRING_IMAGES,
        AcquisitionState.FLUSHING_IMAGES,
        AcquisitionState.FINISHED,  # until the writer is READY: settings cannot be written before
    }
)


def is_capturing(held: Held) -> bool:
    """Whether the first writer has a file open; not yet while that is being made."""
    return is_writing(held[STATE]) and held[ACQUISITION] in _CAPTURING


def same(key: str) -> Live:
    """A parameter as it is."""
    return Live((key,), lambda held: held[key], lambda value: {key: value})


def number(key: str) -> Live:
    """A number to look at; 0 where there is none now, at most what a PV can hold."""
    return Live((key,), lambda held: min(int(held[key] or 0), MAX_LONG))


def text(key: str) -> Live:
    """A text or figure to look at."""
    return Live((key,), lambda held: held[key])


def switch(key: str, strings: tuple[str, str]) -> Live:
    """A yes or no, in `strings`."""
    return Live(
        (key,),
        lambda held: None if held[key] is None else strings[bool(held[key])],
        lambda value: {key: value == strings[1]},
    )


def image_size(*axes: str) -> Live:
    """Length of the image along an axis: as demanded, else as last seen; their product with several."""
    keys = tuple(f"source.{kind}_{axis}" for axis in axes for kind in ("image", "seen"))

    def show(held: Held) -> Value:
        product = 1
        for axis in axes:
            product *= int(held[f"source.image_{axis}"] or held[f"source.seen_{axis}"] or 0)
        return min(product, MAX_LONG)

    return Live(keys, show)


def _pixel_type(held: Held) -> Value:
    demanded, seen = held["source.image_type"], held["source.seen_type"]
    name = str(seen if demanded in (None, "any") else demanded)
    known = {known.lower(): known for known in DATA_TYPES}
    return known.get(name)  # none: no image yet, or float16


def _demand_type(value: Value) -> Mapping[str, Value]:
    return {"source.image_type": str(value).lower()}


DATA_TYPE = Live(("source.image_type", "source.seen_type"), _pixel_type, _demand_type)


def _slashed(held: Held) -> Value:
    folder = held[f"{WRITER}folder"]
    return f"{str(folder).rstrip('/')}/" if folder else folder


def _unslashed(value: Value) -> Mapping[str, Value]:
    path = str(value)
    return {f"{WRITER}folder": path.rstrip("/") or path[:1]}


FILE_PATH = Live((f"{WRITER}folder",), _slashed, _unslashed, looked_at=True)


def _path_exists(held: Held) -> Value:
    creates = bool(held[f"{WRITER}create_directory"] and held[f"{WRITER}folder"])
    return ("No", "Yes")[bool(held[f"{WRITER}folder_exists"]) or creates]


FILE_PATH_EXISTS = Live(
    (f"{WRITER}folder_exists", f"{WRITER}create_directory", f"{WRITER}folder"), _path_exists
)


def _compression(held: Held) -> Value:
    words = {ours: theirs for theirs, ours in _COMPRESSIONS.items()}
    return words.get(str(held[f"{WRITER}compression"]))


def _compress(value: Value) -> Mapping[str, Value]:
    if value not in _COMPRESSIONS:
        raise ValueError(f"must be {' or '.join(_COMPRESSIONS)}, which is all that is written, not {value}")
    return {f"{WRITER}compression": _COMPRESSIONS[str(value)]}


COMPRESSION = Live((f"{WRITER}compression",), _compression, _compress)


def when(keys: tuple[str, ...], test: Callable[[Held], bool], strings: tuple[str, str]) -> Live:
    """One of two words, the second where `test` holds."""
    return Live(keys, lambda held: strings[test(held)])


def demanded_size(axis: str) -> Live:
    """Length of the image along an axis; a write demands it."""
    shown = image_size(axis)
    return Live(shown.keys, shown.show, lambda value: {f"source.image_{axis}": value})


EPICS_EPOCH = 631_152_000
"""Unix time at which EPICS begins to count: 1 January 1990."""


def epics_time(key: str) -> Live:
    """A Unix time as EPICS counts."""
    return Live((key,), lambda held: max(float(held[key] or 0.0) - EPICS_EPOCH, 0.0))


def epics_seconds(key: str) -> Live:
    """The whole seconds of a time."""
    return Live((key,), lambda held: max(int(held[key] or 0.0) - EPICS_EPOCH, 0))


def epics_nanoseconds(key: str) -> Live:
    """What is left of a time beside the whole seconds, as exactly as a double has it."""
    return Live((key,), lambda held: int(float(held[key] or 0.0) % 1.0 * 1e9))


_BYTES = {"8": 1, "16": 2, "32": 4, "64": 8}


def _queued_memory(held: Held) -> Value:
    pixels = int(held["source.seen_height"] or 0) * int(held["source.seen_width"] or 0)
    size = next((n for bits, n in _BYTES.items() if str(held["source.seen_type"]).endswith(bits)), 0)
    return pixels * size * int(held[f"{WRITER}queued"] or 0) / 1e6


QUEUED_MEMORY = Live(
    ("source.seen_height", "source.seen_width", "source.seen_type", f"{WRITER}queued"), _queued_memory
)

QUEUE_FREE = Live(
    (f"{WRITER}buffer_size", f"{WRITER}queued"),
    lambda held: max(int(held[f"{WRITER}buffer_size"] or 0) - int(held[f"{WRITER}queued"] or 0), 0),
)

IO_SPEED = Live((f"{WRITER}throughput",), lambda held: 8.0 * float(held[f"{WRITER}throughput"] or 0.0))
"""Megabits a second."""


RUN_TIME = Live((f"{WRITER}acq_duration",), lambda held: float(held[f"{WRITER}acq_duration"] or 0.0))

WRITE_TIME = Live((f"{WRITER}disk_wait",), lambda held: 1000.0 * float(held[f"{WRITER}disk_wait"] or 0.0))
"""Milliseconds."""

PICTURE = "pictures.1."


def _picture_type(held: Held) -> Value:
    known = {known.lower(): known for known in DATA_TYPES}
    return known.get(str(held[f"{PICTURE}image_type"]))


PICTURE_TYPE = Live((f"{PICTURE}image_type",), _picture_type)


def _picture_rate(value: Value) -> Mapping[str, Value]:
    period = float(value or 0.0)
    fastest = 50.0
    return {f"{PICTURE}rate": fastest if period <= 1 / fastest else 1 / period}


def _picture_period(held: Held) -> Value:
    rate = held[f"{PICTURE}rate"]
    return 1 / float(rate) if rate else None


PICTURE_PERIOD = Live((f"{PICTURE}rate",), _picture_period, _picture_rate)
"""Time between pictures; 0 asks for as many as there may be."""


def region_use(key: str) -> Live:
    """Whether a region is counted: it has a size. No takes that away, Yes alone cannot give one."""
    sizes = (f"{key}width", f"{key}height")

    def show(held: Held) -> Value:
        return ("No", "Yes")[all(held[size] for size in sizes)]

    return Live(sizes, show, lambda value: {} if value == "Yes" else dict.fromkeys(sizes, 0))


def region_size(size: str, first: str, axis: str) -> Live:
    """Length of the region of the picture: as demanded, else from its first pixel to the edge."""
    demanded, begin = f"{PICTURE}region_{size}", f"{PICTURE}region_{first}"
    whole = image_size(axis)

    def show(held: Held) -> Value:
        return held[demanded] or max(int(whole.show(held) or 0) - int(held[begin] or 0), 0)

    return Live((demanded, begin, *whole.keys), show, lambda value: {demanded: value})
