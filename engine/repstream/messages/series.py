"""The two ends of a series, in the terms that both DECTRIS streams share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from repstream.messages.pixels import Pixels


class SeriesStart(msgspec.Struct, gc=False):
    """A detector is armed; images of this series follow.

    `series`: its number, counted by the detector. `unique_id`: its text, ``""`` in stream v1.
    `configuration`: what the detector says about itself, by its own names; empty where the
    detector is set to send none. `tables`: the arrays beside it, such as ``"flatfield"``,
    ``"pixel_mask"``, ``"countrate_table"``; stream v2 has one for each threshold, under
    ``"flatfield/threshold_1"``. `appendix`: the user's own part of a v1 message, JSON by the
    description. `parts`: the message as received. `unread`: what of it could not be read, in words.
    """

    series: int
    unique_id: str
    configuration: Mapping[str, Any]
    tables: Mapping[str, Pixels]
    appendix: Any
    parts: Sequence[Any]
    unread: Sequence[str] = ()


def images_of(start: SeriesStart) -> int | None:
    """How many images a series will have, as its start says; None where it does not.

    Stream v1 says `nimages` for each of `ntrigger` triggers, v2 `number_of_images`.
    """
    return number_of(start.configuration)


def number_of(reported: Mapping[str, Any]) -> int | None:
    """The same of a detector's configuration."""
    names = ["number_of_images"] if "number_of_images" in reported else ["nimages", "ntrigger"]
    images = 1
    for name in names:
        number = reported.get(name, 1 if name == "ntrigger" else None)
        if type(number) is not int or not 0 < number < 2**32:
            return None
        images *= number
    return images


class SeriesEnd(msgspec.Struct, gc=False):
    """No more images of this series come. Fields as in `SeriesStart`."""

    series: int
    unique_id: str
    parts: Sequence[Any]
