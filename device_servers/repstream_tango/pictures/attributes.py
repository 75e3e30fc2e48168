"""The attributes that show a picture; each is one row of a table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tango import AttrDataFormat, CmdArgType, DispLevel
from tango.server import attribute

from repstream.parameters.catalogue import Catalogue
from repstream.parameters.facts import Role
from repstream.pictures.link import GROUP
from repstream.pictures.picture import Picture
from repstream_tango.attributes import tango_attribute
from repstream_tango.names import group_name
from repstream_tango.pictures.encodings import jpeg, lima_video

LARGEST = 16_384
"""Rows and columns that a picture may have at most."""

LIMA_VIDEO = "video_last_image"
LIMA_SLOT = 1


@dataclass(frozen=True)
class PictureAttribute:
    """One way to show the picture of a slot; `value` makes it, `nothing` stands where there is none.

    `value` gets the picture and the values of the engine's keys `of`.
    """

    name: str
    slot: int
    label: str
    text: str
    dtype: Any
    value: Callable[..., Any]
    nothing: Any
    level: DispLevel = DispLevel.OPERATOR
    of: tuple[str, ...] = ()
    dimensions: int = 0

    def made(self) -> attribute:
        """The Tango attribute."""

        def read(device: Any) -> Any:
            return device.read_picture(self)

        return tango_attribute(
            self.name,
            read,
            dtype=self.dtype,
            label=self.label,
            doc=self.text,
            display_level=self.level,
            **_SHAPES[self.dimensions],
        )


_SHAPES: tuple[dict[str, Any], ...] = (
    {},
    {"dformat": AttrDataFormat.SPECTRUM, "max_dim_x": LARGEST},
    {"dformat": AttrDataFormat.IMAGE, "max_dim_x": LARGEST, "max_dim_y": LARGEST},
)


def _profile(axis: int, picture: Picture) -> NDArray[np.float64]:
    return picture.data.sum(axis=axis, dtype=np.float64)  # type: ignore[no-any-return]


def all_attributes(catalogue: Catalogue) -> Iterator[PictureAttribute]:
    """Those of every slot, beside everything else of an engine."""
    for slot in catalogue.slots(GROUP):
        of = f"{group_name(GROUP)}{slot}", f"{group_name(GROUP)} {slot}: "
        for one in own_attributes(catalogue, slot):
            is_lima = one.name == LIMA_VIDEO
            if slot == LIMA_SLOT or not is_lima:
                name = one.name if is_lima else f"{of[0]}{one.name}"
                yield replace(one, name=name, label=f"{of[1]}{one.label}", level=DispLevel.EXPERT)


def own_attributes(catalogue: Catalogue, slot: int) -> Iterator[PictureAttribute]:
    """Those of a device of one slot, in the order in which they are pushed: the id before the picture."""
    yield PictureAttribute(
        "ShownId",
        slot,
        "Shown image",
        "Id of the image that is shown; read together with the picture it is of the same image.",
        CmdArgType.DevLong64,
        lambda picture: picture.image_id,
        0,
        DispLevel.EXPERT,
    )
    yield PictureAttribute(
        "Image",
        slot,
        "Picture",
        "The picture, its values as they are, at most at the rate and size that are set; its time is "
        "that of the image. Nothing is computed while nobody reads or subscribes.",
        CmdArgType.DevDouble,
        lambda picture: picture.data.astype(np.float64),
        np.zeros((1, 1)),
        dimensions=2,
    )
    for name, axis, title_of, along in (
        ("ProfileX", 0, "Profile along columns", "column"),
        ("ProfileY", 1, "Profile along rows", "row"),
    ):
        yield PictureAttribute(
            name,
            slot,
            title_of,
            f"Sum of the picture's values in each {along} of it; its time is that of the image.",
            CmdArgType.DevDouble,
            partial(_profile, axis),
            np.zeros(1),
            DispLevel.EXPERT,
            dimensions=1,
        )
    yield PictureAttribute(
        "Jpeg",
        slot,
        "JPEG",
        "The picture as grey JPEG, between the values shown black and white, or its percentiles.",
        CmdArgType.DevEncoded,
        jpeg,
        ("", b""),
        DispLevel.EXPERT,
        (catalogue.key(Role.DARKEST, GROUP, slot), catalogue.key(Role.BRIGHTEST, GROUP, slot)),
    )
    yield PictureAttribute(
        LIMA_VIDEO,
        slot,
        "Lima video",
        "The picture as viewers for Lima read it: VIDEO_IMAGE, unsigned pixels behind a header.",
        CmdArgType.DevEncoded,
        lima_video,
        ("", b""),
        DispLevel.EXPERT,
    )
