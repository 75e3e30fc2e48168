"""What a detector says about itself when a series starts, as it goes into a file. No input or output."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
from numpy.typing import NDArray

from repstream.errors import MalformedMessage
from repstream.messages.series import SeriesStart

log = logging.getLogger(__name__)

TABLES: Mapping[str, str] = {
    "pixel_mask": "pixel_mask",
    "flatfield": "flatfield",
    "countrate_table": "countrate_correction_lookup_table",
    "countrate_correction_lookup_table": "countrate_correction_lookup_table",
}
"""Tables of both DECTRIS streams -> fields of NXdetector."""

FIELDS: Mapping[str, tuple[str, ...]] = {
    "description": ("description", "detector_description"),
    "serial_number": ("detector_number", "detector_serial_number"),
    "sensor_material": ("sensor_material",),
    "saturation_value": ("saturation_value",),
    "bit_depth_readout": ("bit_depth_readout",),
}
"""Fields of NXdetector without a unit -> names in the configurations of both DECTRIS streams."""


@dataclass(frozen=True, slots=True)
class DetectorFacts:
    """What is kept of the start of a series.

    `configuration`: a JSON object as text, by the detector's own names. `tables`: arrays such as
    ``"pixel_mask"`` or, where there is one for each threshold, ``"pixel_mask/threshold_1"``.
    `threshold`: that of the images, ``""`` for the only one. `appendix`: the user's own text.
    """

    series: int
    unique_id: str = ""
    configuration: str = "{}"
    tables: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    threshold: str = ""
    appendix: str = ""

    @property
    def reported(self) -> dict[str, Any]:
        """`configuration` as an object."""
        return msgspec.json.decode(self.configuration, type=dict[str, Any])


def facts_of(start: SeriesStart, threshold: str = "") -> DetectorFacts:
    """What a file keeps of a start; tables are unpacked, a damaged one is left out and logged."""
    tables = {}
    try:
        configuration = msgspec.json.encode(plain(start.configuration)).decode()
    except RecursionError:
        log.warning("series %d: the configuration is nested too deeply for the file", start.series)
        configuration = "{}"
    for name, pixels in start.tables.items():
        try:
            tables[name] = pixels.array()
        except MalformedMessage as error:
            log.warning("series %d: table %s is left out of the file: %s", start.series, name, error)
    return DetectorFacts(
        series=start.series,
        unique_id=start.unique_id,
        configuration=configuration,
        tables=tables,
        threshold=threshold,
        appendix="" if start.appendix is None else bytes(start.appendix).decode(errors="replace"),
    )


def plain(value: Any) -> Any:
    """`value` as JSON can say it: what JSON does not have becomes text, numbers among it too."""
    if isinstance(value, Mapping):
        return {str(plain(name)): plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int) and -(2**63) <= value < 2**64:
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    return _text(value).encode(errors="replace").decode()


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.hex()
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
