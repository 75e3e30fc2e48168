"""How a picture is asked for in a query: which part, how large, which contrast and colours."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field, field_validator

from repstream.pictures.picture import Box, View
from repstream_http.pictures.colours import NAMES

LARGEST = 16_384
"""Rows or columns that a picture may have."""

_REGION = re.compile(r"(\d{1,7}),(\d{1,7}),(\d{1,7}),(\d{1,7})")
_SIZE = re.compile(r"(\d{1,5})(?:[x,](\d{1,5}))?")


class Look(BaseModel):
    """The query parameters of a picture."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    region: str | None = Field(
        None,
        description="Part of the full image: x,y,width,height in its pixels; width or height 0 to the edge.",
        examples=["100,200,640,480"],
        json_schema_extra={"pattern": f"^{_REGION.pattern}$"},
    )
    size: str | None = Field(
        None,
        description="Most pixels in width and height: 800x600, or 800 for both.",
        examples=["800x600"],
        json_schema_extra={"pattern": f"^{_SIZE.pattern}$"},
    )
    rule: Literal["mean", "sum", "maximum"] | None = Field(
        None, description="How pixels are taken together where there are more; the slot's rule if left out."
    )
    low: float | None = Field(None, description="Value shown darkest; from the percentile if left out.")
    high: float | None = Field(None, description="Value shown brightest; from the percentile if left out.")
    percentile: float = Field(
        99.8, gt=50, le=100, description="Percentile of the pixels that gives a level that is left out."
    )
    log: bool = Field(False, description="Logarithmic scale of brightness.")
    colours: str = Field(
        "grey",
        description=f"Colour map: {', '.join(NAMES)}.",
        examples=["viridis"],
        json_schema_extra={"enum": list(NAMES)},
    )
    quality: int = Field(85, ge=1, le=100, description="Quality of JPEG.")

    @field_validator("region")
    @classmethod
    def _region(cls, text: str | None) -> str | None:
        if text is not None and not _REGION.fullmatch(text):
            raise ValueError(f"must be x,y,width,height in whole pixels, not {text!r:.60}")
        return text

    @field_validator("size")
    @classmethod
    def _size(cls, text: str | None) -> str | None:
        match = None if text is None else _SIZE.fullmatch(text)
        if text is not None and (
            match is None or not all(1 <= int(n) <= LARGEST for n in match.groups() if n)
        ):
            raise ValueError(f"must be widthxheight from 1 to {LARGEST} pixels, not {text!r:.60}")
        return text

    @field_validator("colours")
    @classmethod
    def _colours(cls, name: str) -> str:
        if name not in NAMES:
            raise ValueError(f"must be one of {', '.join(NAMES)}, not {name!r:.60}")
        return name

    @property
    def view(self) -> View:
        """What the pictures' process is asked for."""
        box = size = None
        if self.region is not None:
            x, y, width, height = map(int, self.region.split(","))
            box = Box(y, x, height, width)
        if self.size is not None:
            columns, _, rows = self.size.replace(",", "x").partition("x")
            size = (int(rows or columns), int(columns))
        return View(box, size, self.rule)


LookQuery = Annotated[Look, Query()]
