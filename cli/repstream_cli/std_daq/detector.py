"""What the services of one detector have in common: its document, the names of its ring and sockets."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import typer

from repstream.errors import InvalidValue
from repstream.messages import std_daq_metadata as metadata
from repstream.parameters.source import SourceConfig
from repstream.parameters.writer import WriterConfig
from repstream.version import __version__
from repstream_http.compat.std_daq import document
from repstream_http.compat.std_daq.document import PIXEL_TYPES, Document

log = logging.getLogger(__name__)

LEAST_SLOTS = 1000
"""A ring has so many, and more where `ram_buffer_gb` (GiB) has room for them."""

KINDS: Mapping[str, type[metadata.Detector]] = {
    "gigafrost": metadata.GigaFrost,
    "jungfrau": metadata.Jungfrau,
    "jungfrau-raw": metadata.Jungfrau,
    "jungfrau-converted": metadata.Jungfrau,
    "eiger": metadata.Eiger,
    "pco": metadata.Pco,
}
"""What the ring's metadata say of an image, by `detector_type`."""

NARROW = frozenset({"scan_time", "sync_time"})
"""Members of the GigaFRoST's metadata file that have 32 bits."""


@dataclass(frozen=True, slots=True)
class Detector:
    """A detector by its document; `suffix` names the ring that its images come through.

    `slots`: of that ring, 0 for what the document says.
    """

    document: Document
    suffix: str = "image"
    slots: int = 0

    @property
    def name(self) -> str:
        return self.document.detector_name

    @property
    def number_of_writers(self) -> int:
        return self.document.number_of_writers or 0

    @property
    def source(self) -> SourceConfig:
        """Its ring. What images are is learned from them: a document that is wrong loses none."""
        return SourceConfig(address=f"ring://{self.name}-{self.suffix}", ring_slots=self.slots or self._slots)

    def writer(self, *, metadata_service: bool) -> WriterConfig:
        """Its writers and the file of the metadata; written in the driver where there are none."""
        served = self.number_of_writers > 0
        return WriterConfig(
            detector_name=self.name,
            file_name="file",
            file_template="%s%s.h5",
            number_of_parts=max(self.number_of_writers, 1),
            part_names="std_daq",
            part_services=str(self.socket("")) if served else "",
            metadata_service=metadata_service,
            block_size=self.document.gpfs_block_size or 0,
            user_id=max(self.document.writer_user_id, 0),
            header_columns=", ".join(f"{name}:{kind}" for name, kind in self._columns),
        )

    def socket(self, name: str) -> Path:
        """Where the service that writes this part (a number, or ``meta``) listens for the driver."""
        return Path(f"/tmp/{self.name}-writer-{name}")

    @property
    def _slots(self) -> int:
        found = self.document
        itemsize = np.dtype(PIXEL_TYPES[found.bit_depth]).itemsize
        nbytes = found.image_pixel_height * found.image_pixel_width * itemsize
        return max(LEAST_SLOTS, int((found.ram_buffer_gb or 0) * 2**30) // nbytes)

    @property
    def _columns(self) -> list[tuple[str, str]]:
        kind = KINDS.get(self.document.detector_type)
        fields = [] if kind is None else msgspec.structs.fields(kind)
        numbers = [field.name for field in fields if field.type is int]
        return [(name, "uint32" if name in NARROW else "uint64") for name in (*numbers, "image_status")]


def load(config: Path, suffix: str = "image", slots: int = 0) -> Detector:
    """The detector of a document; refuses one that cannot be read or is wrong.

    Keys that are not known, as other versions of the services have them, are a warning.
    """
    try:
        given: Any = msgspec.json.decode(config.read_bytes())
        if not isinstance(given, dict):
            raise InvalidValue("config", "must be a JSON object")
        if unknown := [key for key in given if key not in Document.model_fields]:
            log.warning("%s: %s: not known here, without effect", config, ", ".join(unknown))
        known = {key: value for key, value in given.items() if key in Document.model_fields}
        return Detector(document.merged(None, known), suffix, slots)
    except OSError as error:
        raise typer.BadParameter(f"{config} cannot be read: {error.strerror}") from error
    except msgspec.DecodeError as error:
        raise typer.BadParameter(f"{config} is no JSON: {error}") from error
    except InvalidValue as error:
        raise typer.BadParameter(f"{config}: {error}") from error


def show_version(wanted: bool) -> None:
    """What `--version` does."""
    if wanted:
        typer.echo(f"repstream {__version__}")
        raise typer.Exit
