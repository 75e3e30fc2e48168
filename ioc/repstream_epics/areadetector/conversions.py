"""The engine's values in areaDetector's words, and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from repstream.parameters.facts import Value
from repstream.states import AcquisitionState, WriterState
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
    return held[STATE] == WriterState.WRITING and held[ACQUISITION] in _CAPTURING


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
