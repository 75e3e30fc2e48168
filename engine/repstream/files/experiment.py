"""What is known of an experiment, at its places in NeXus: https://manual.nexusformat.org. Pure.

A value that the writer's settings state counts more than the detector's own; lengths are in metres
and times in seconds, as DECTRIS has them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from repstream.files import goniometer
from repstream.files.plan import Scalar
from repstream.files.user_metadata import NAME
from repstream.parameters.goniometer import KEY
from repstream.parameters.json_text import parse_object

DETECTOR = "/entry/instrument/detector"
BEAM = "/entry/instrument/beam"
SAMPLE = "/entry/sample"
TRANSLATION = f"{DETECTOR}/transformations/translation"

EV_ANGSTROM = 12398.419843320026
"""Photon energy in eV times wavelength in angstrom: h c."""

TEXTS: Mapping[str, str] = {
    "title": "/entry/title",
    "proposal": "/entry/experiment_identifier",
    "instrument_name": "/entry/instrument/name",
    "user_name": "/entry/user/name",
    "sample_name": f"{SAMPLE}/name",
}
"""Settings that are text -> their places."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number with a unit.

    Its place, the setting that states it (`factor` times that), and the detector's names for it.
    """

    path: str
    units: str
    setting: str = ""
    factor: float = 1.0
    reported: tuple[str, ...] = ()


QUANTITIES = (
    Quantity(f"{DETECTOR}/distance", "m", "detector_distance", 1.0, ("detector_distance",)),
    Quantity(f"{DETECTOR}/x_pixel_size", "m", "pixel_size_x", 1e-6, ("x_pixel_size", "pixel_size_x")),
    Quantity(f"{DETECTOR}/y_pixel_size", "m", "pixel_size_y", 1e-6, ("y_pixel_size", "pixel_size_y")),
    Quantity(f"{DETECTOR}/beam_center_x", "pixel", "beam_center_x", 1.0, ("beam_center_x",)),
    Quantity(f"{DETECTOR}/beam_center_y", "pixel", "beam_center_y", 1.0, ("beam_center_y",)),
    Quantity(f"{DETECTOR}/count_time", "s", "count_time", 1.0, ("count_time",)),
    Quantity(f"{DETECTOR}/frame_time", "s", "frame_time", 1.0, ("frame_time",)),
    Quantity(f"{DETECTOR}/sensor_thickness", "m", reported=("sensor_thickness",)),
    Quantity(f"{BEAM}/incident_energy", "eV", "photon_energy", 1.0, ("photon_energy", "incident_energy")),
    Quantity(
        f"{BEAM}/incident_wavelength", "angstrom", "wavelength", 1.0, ("wavelength", "incident_wavelength")
    ),
)

_CENTER = frozenset({"beam_center_x", "beam_center_y"})

CLASSES: Mapping[str, str] = {
    "/entry/user": "NXuser",
    SAMPLE: "NXsample",
    f"{SAMPLE}/goniometer": "NXcollection",
    BEAM: "NXbeam",
    f"{DETECTOR}/transformations": "NXtransformations",
    f"{DETECTOR}/module": "NXdetector_module",
    "/entry/instrument/source": "NXsource",
    "/entry/monitor": "NXmonitor",
}
"""Classes of groups; another group below entry is an NXcollection unless its ``NX_class`` is given."""

NXMX = (
    f"{DETECTOR}/distance",
    f"{DETECTOR}/x_pixel_size",
    f"{DETECTOR}/y_pixel_size",
    f"{DETECTOR}/beam_center_x",
    f"{DETECTOR}/beam_center_y",
    f"{DETECTOR}/count_time",
    f"{DETECTOR}/sensor_thickness",
    f"{BEAM}/incident_wavelength",
)
"""Without these a file does not claim to follow the application definition NXmx."""


@dataclass(frozen=True, slots=True)
class Value:
    """One field: a number, a text or a list of numbers, with its attributes."""

    value: Scalar | list[int] | list[float]
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Found:
    """Fields by their paths, and the classes of groups that are not in `CLASSES`."""

    values: Mapping[str, Value]
    classes: Mapping[str, str] = field(default_factory=dict)


def found(settings: Mapping[str, Scalar], reported: Mapping[str, Any]) -> Found:
    """The fields that follow from a writer's settings and from a detector's own configuration."""
    values = {
        path: Value(text)
        for name, path in TEXTS.items()
        if (text := settings.get(name)) and isinstance(text, str)
    }
    for quantity in QUANTITIES:
        number = _number(quantity, settings, reported)
        if number is not None:
            values[quantity.path] = Value(number, {"units": quantity.units})
    _complete_beam(values)
    values |= dict(_goniometer(reported))
    if f"{DETECTOR}/distance" in values:
        values |= _translation(values[f"{DETECTOR}/distance"].value)
    stated = parse_object(str(settings.get("nexus_metadata", "")))
    further = dict(_further({k: v for k, v in stated.items() if k != KEY}, "/entry"))
    classes = {path: str(item.value) for path, item in further.items() if path.endswith("/NX_class")}
    values |= {path: item for path, item in further.items() if path not in classes}
    return Found(values, {path.removesuffix("/NX_class"): name for path, name in classes.items()})


def module(values: Mapping[str, Value], shape: tuple[int, int]) -> dict[str, Value]:
    """The detector as one module of `shape` pixels, where their size is known."""
    path = f"{DETECTOR}/module"
    sizes = [values.get(f"{DETECTOR}/{axis}_pixel_size") for axis in ("x", "y")]
    if None in sizes:
        return {}
    depends_on = TRANSLATION if TRANSLATION in values else "."
    fields = {f"{path}/data_origin": Value([0, 0]), f"{path}/data_size": Value(list(shape))}
    directions = (("fast", [-1.0, 0.0, 0.0]), ("slow", [0.0, -1.0, 0.0]))
    for (name, vector), size in zip(directions, sizes, strict=True):
        assert size is not None
        attributes = {
            "units": "m",
            "transformation_type": "translation",
            "vector": vector,
            "offset": [0.0, 0.0, 0.0],
            "depends_on": depends_on,
        }
        fields[f"{path}/{name}_pixel_direction"] = Value(size.value, attributes)
    return fields


def _number(quantity: Quantity, settings: Mapping[str, Scalar], reported: Mapping[str, Any]) -> float | None:
    stated = settings.get(quantity.setting, 0)
    known = any(settings.get(name) for name in _CENTER) if quantity.setting in _CENTER else stated
    if known and isinstance(stated, int | float):
        return float(stated) * quantity.factor
    for name in quantity.reported:
        value = reported.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
    return None


def _complete_beam(values: dict[str, Value]) -> None:
    """Energy and wavelength follow from each other."""
    energy, length = f"{BEAM}/incident_energy", f"{BEAM}/incident_wavelength"
    for known, other, units in ((energy, length, "angstrom"), (length, energy, "eV")):
        if known in values and other not in values and (number := values[known].value):
            assert isinstance(number, float)
            values[other] = Value(EV_ANGSTROM / number, {"units": units})


def _translation(distance: Any) -> dict[str, Value]:
    """The detector stands off the sample along the beam."""
    attributes = {
        "units": "m",
        "transformation_type": "translation",
        "vector": [0.0, 0.0, 1.0],
        "depends_on": ".",
    }
    return {TRANSLATION: Value(distance, attributes), f"{DETECTOR}/depends_on": Value(TRANSLATION)}


def _goniometer(reported: Mapping[str, Any]) -> Iterator[tuple[str, Value]]:
    """Start and increment of each axis."""
    for axis in goniometer.DETECTORS:
        for what, value in goniometer.positions(reported, axis).items():
            yield f"{SAMPLE}/goniometer/{axis}_{what}", Value(value, {"units": "deg"})


def _further(found: Mapping[str, Any], path: str) -> Iterator[tuple[str, Value]]:
    """The user's own fields: {"value": …, "units": …} or a bare value, objects as groups."""
    for name, item in found.items():
        below = f"{path}/{name}"
        if not NAME.fullmatch(name) and name != "NX_class":
            continue
        if isinstance(item, Mapping) and "value" in item:
            attributes = {
                k: v for k, v in item.items() if k != "value" and isinstance(v, str | int | float | list)
            }
            if (value := _plain(item["value"])) is not None:
                yield below, Value(value, attributes)
        elif isinstance(item, Mapping):
            yield from _further(item, below)
        elif (value := _plain(item)) is not None:
            yield below, Value(value)


def _plain(value: Any) -> Scalar | list[float] | list[int] | None:
    """What a field can hold: None for anything else."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, str | float) or (isinstance(value, int) and -(2**63) <= value < 2**64):
        return value
    if isinstance(value, list) and value and all(type(item) in (int, float) for item in value):
        return [float(item) for item in value]
    return None
