"""Writes the panels of an engine as files of Phoebus or of PyDM."""

from __future__ import annotations

import enum
from importlib.resources import files
from pathlib import Path

from repstream.parameters.catalogue import Catalogue, Group
from repstream_panels.epics import bob, ui
from repstream_panels.epics.area_detector import display as area_detector_display
from repstream_panels.epics.displays import displays


class Program(enum.StrEnum):
    """Who shows the panels."""

    PHOEBUS = "phoebus"
    PYDM = "pydm"


_FORMATS = {Program.PHOEBUS: (".bob", bob.text_of), Program.PYDM: (".ui", ui.text_of)}


def write(
    folder: Path,
    catalogue: Catalogue,
    prefix: str,
    size: tuple[int, int],
    area_detector: str = "",
    *,
    program: Program = Program.PHOEBUS,
) -> list[Path]:
    """Write all panels of an engine, over those that are there; the first is the one to open.

    `size`: width and height of its images, in whose pixels regions are drawn. `area_detector`: the prefix
    of areaDetector's PVs, which have a panel then. Raises `OSError`.
    """
    suffix, text_of = _FORMATS[program]
    folder.mkdir(parents=True, exist_ok=True)
    texts = {display.name: text_of(display, prefix, size) for display in displays(catalogue)}
    if area_detector:
        its = area_detector_display()
        texts[its.name] = text_of(its, area_detector, size)
    paths = [folder / f"{name}{suffix}" for name in texts]
    for path, text in zip(paths, texts.values(), strict=True):
        path.write_text(text, encoding="utf-8")
    if program is Program.PYDM:
        drawing = folder / f"{Group.PICTURE}.py"
        drawing.write_text(files(__package__).joinpath("pydm_picture.py").read_text(encoding="utf-8"))
        paths.append(drawing)
    return paths
