"""Parameters of a picture: what of which stream is shown and counted, and what was counted last.

Each of the four regions has fields of its own, ``roi1_y`` and ``roi1_sum`` for instance, made here by
rule. All results are of one image, the one that `image_id` names, and change together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, create_model

from repstream.parameters.facts import Access, Alarm, Format, Level, LongText, Role, Section, Status, Unit
from repstream.parameters.status import COUNT_LIMIT, Count, Rate, Total

SLOTS = 2
"""Pictures that an engine makes at the same time."""

REGIONS = 4
"""Regions of a picture that are counted."""

Pixels = Annotated[int, Access.ALWAYS, Unit("pixels"), Field(ge=0, le=1_000_000)]
PictureState = Literal["off", "waiting", "live", "failed"]
Number = Annotated[float | None, Field()]
"""Something counted: None where nothing was."""


class PictureSettings(Section):
    """One picture: a stream, what of it is counted and how it is reduced for those who look."""

    stream: Annotated[str, Access.ALWAYS] = Field(
        "",
        max_length=31,
        title="Stream",
        description="Name of the stream that is shown, one that publishes (PUB); empty: none.",
    )
    enable: Annotated[bool, Access.ALWAYS, Level.EXPERT] = Field(
        True, title="Count always", description="Whether numbers are counted also while nobody looks."
    )
    rate: Annotated[float, Access.ALWAYS, Unit("Hz")] = Field(
        10.0, ge=0.1, le=50.0, title="Highest rate", description="Pictures a second at most."
    )
    region_y: Annotated[Pixels, Level.EXPERT] = Field(
        0, title="Region, first row", description="First row that is shown and counted."
    )
    region_x: Annotated[Pixels, Level.EXPERT] = Field(
        0, title="Region, first column", description="First column that is shown and counted."
    )
    region_height: Annotated[Pixels, Level.EXPERT] = Field(
        0, title="Region, height", description="Rows that are shown and counted; 0: to the edge."
    )
    region_width: Annotated[Pixels, Level.EXPERT] = Field(
        0, title="Region, width", description="Columns that are shown and counted; 0: to the edge."
    )
    binning: Annotated[int, Access.ALWAYS, Unit("pixels")] = Field(
        1,
        ge=1,
        le=256,
        title="Binning",
        description="Side of the square of pixels that make one sample of the picture, at least.",
    )
    darkest: Annotated[float, Access.ALWAYS, Level.EXPERT, Role.DARKEST] = Field(
        0.0,
        ge=-1e15,
        le=1e15,
        title="Shown black",
        description="Value shown black where a viewer cannot choose it (Tango's JPEG); see brightest.",
    )
    brightest: Annotated[float, Access.ALWAYS, Level.EXPERT, Role.BRIGHTEST] = Field(
        0.0,
        ge=-1e15,
        le=1e15,
        title="Shown white",
        description="Value shown white there; unless it is above darkest, percentiles of the pixels count.",
    )
    rule: Annotated[Literal["mean", "sum", "maximum"], Access.ALWAYS] = Field(
        "maximum",
        title="Rule of binning",
        description="How these pixels are taken together; the numbers are of all pixels, whatever this is.",
    )
    largest_height: Annotated[int, Access.ALWAYS, Unit("pixels"), Level.EXPERT] = Field(
        1080, ge=16, le=100_000, title="Largest height", description="Rows that a picture has at most."
    )
    largest_width: Annotated[int, Access.ALWAYS, Unit("pixels"), Level.EXPERT] = Field(
        1920, ge=16, le=100_000, title="Largest width", description="Columns that a picture has at most."
    )
    mask_file: Annotated[str, Access.ALWAYS, Level.EXPERT] = Field(
        "",
        max_length=255,
        title="Mask of bad pixels",
        description="File (.npy, or HDF5 with :/dataset) that is not 0 where a pixel is bad; empty: none.",
    )
    saturation: Annotated[int, Access.ALWAYS, Level.EXPERT] = Field(
        0,
        ge=0,
        le=2**32 - 1,
        title="Saturation value",
        description="Value from which on a pixel is saturated; 0: the greatest of its type.",
    )
    centre_threshold: Annotated[float, Access.ALWAYS, Level.EXPERT] = Field(
        0.0,
        ge=-1e12,
        le=1e12,
        title="Threshold of the centre",
        description="Only the intensity above this counts for centre and width.",
    )

    gate_writer: Annotated[str, Access.ALWAYS, Level.EXPERT] = Field(
        "",
        max_length=31,
        title="Gate: writer",
        description="Writer over whose openings of the gate the sums are added up; needs a stream that "
        "forwards all frames; empty: none.",
    )


class PictureStatus(Status):
    """How a picture goes."""

    state: Annotated[PictureState, Role.STATE, Alarm(alarm_values=("failed",))] = Field(
        "off", title="State", description="off: no stream; waiting: no image yet; failed: message says why."
    )
    message: Annotated[str, LongText(1024), Role.STATUS] = Field(
        "", title="Message", description="What is wrong, or what is waited for."
    )
    age: Annotated[Rate | None, Unit("s"), Alarm(warning_high=10), Level.EXPERT] = Field(
        None, title="Age", description="Time since the image came, while the repeater runs."
    )
    pictures: Annotated[Total, Unit("images"), Level.EXPERT] = Field(
        0, title="Images counted", description="Images counted since the stream was chosen."
    )
    picture_rate: Annotated[Rate, Unit("Hz")] = Field(
        0.0, title="Rate", description="Images counted a second."
    )
    malformed: Annotated[Total, Unit("messages"), Level.EXPERT] = Field(
        0, title="Malformed messages", description="Messages of the stream that could not be read."
    )


class PictureAddress(Status):
    """Where a picture is to be had."""

    address: Annotated[str, Level.EXPERT, Role.PICTURES] = Field(
        "", title="Address", description="Where front ends get the pictures, such as tcp://host:port."
    )


class PictureCounts(Status):
    """What was counted in the last image; None before the first one."""

    image_id: Annotated[int | None, Field(ge=0, le=COUNT_LIMIT)] = Field(
        None, title="Image id", description="Id of the image that all these numbers are of."
    )
    image_time: Annotated[float | None, Unit("s"), Format.TIME, Level.EXPERT] = Field(
        None, title="Time of the image", description="Unix time that the source gives the image, or arrival."
    )
    received_time: Annotated[float | None, Unit("s"), Format.TIME, Level.EXPERT] = Field(
        None, title="Time of arrival", description="Unix time at which the image came here."
    )
    image_height: Annotated[int | None, Field(ge=0, le=2**31 - 1), Unit("pixels"), Level.EXPERT] = Field(
        None, title="Height of the image", description="Height of the image as it came."
    )
    image_width: Annotated[int | None, Field(ge=0, le=2**31 - 1), Unit("pixels"), Level.EXPERT] = Field(
        None, title="Width of the image", description="Width of the image as it came."
    )
    image_type: Annotated[str | None, Level.EXPERT] = Field(
        None, title="Type of the pixels", description="Pixel type of the image as it came."
    )
    pixels: Annotated[Count | None, Unit("pixels"), Level.EXPERT] = Field(
        None, title="Good pixels", description="Pixels counted: neither masked, nor NaN or infinite."
    )
    bad_pixels: Annotated[Count | None, Unit("pixels"), Level.EXPERT] = Field(
        None, title="Bad pixels", description="Pixels left out: masked, NaN or infinite."
    )
    minimum: Number = Field(None, title="Minimum", description="Least value of a pixel.")
    maximum: Number = Field(None, title="Maximum", description="Greatest value of a pixel.")
    mean: Number = Field(None, title="Mean", description="Mean value of the pixels.")
    sum: Number = Field(None, title="Sum", description="Sum of the pixels.")
    saturated: Annotated[Count | None, Unit("pixels"), Alarm(warning_high=1)] = Field(
        None, title="Saturated pixels", description="Pixels at or above the saturation value."
    )
    centre_y: Annotated[Number, Unit("pixels")] = Field(
        None, title="Centre, row", description="Row of the centre of mass, in the full image."
    )
    centre_x: Annotated[Number, Unit("pixels")] = Field(
        None, title="Centre, column", description="Column of the centre of mass, in the full image."
    )
    width_y: Annotated[Number, Unit("pixels")] = Field(
        None, title="Width along rows", description="Standard deviation of the intensity across the rows."
    )
    width_x: Annotated[Number, Unit("pixels")] = Field(
        None,
        title="Width along columns",
        description="Standard deviation of the intensity across the columns.",
    )


class GateCounts(Status):
    """The last opening of the gate of `gate_writer`: a point of a step scan."""

    gate_state: Annotated[
        Literal["none", "open", "complete", "incomplete"],
        Alarm(alarm_values=("incomplete",)),
        Level.EXPERT,
    ] = Field(
        "none",
        title="Gate: state",
        description="complete: every image that went through was counted; incomplete: gate_message says why.",
    )
    gate_message: Annotated[str, LongText(1024), Level.EXPERT] = Field(
        "", title="Gate: message", description="Why the numbers are incomplete."
    )
    gate_acquisition_id: Annotated[str, Level.EXPERT] = Field(
        "", title="Gate: acquisition", description="Acquisition that the gate belongs to."
    )
    gate_number: Annotated[Count | None, Level.EXPERT] = Field(
        None, title="Gate: opening", description="Number of the opening in its acquisition, from 1."
    )
    gate_expected: Annotated[Count | None, Unit("images"), Level.EXPERT] = Field(
        None, title="Gate: images let through", description="Images that went through the gate to the file."
    )
    gate_images: Annotated[Count | None, Unit("images"), Level.EXPERT] = Field(
        None, title="Gate: images counted", description="Images that the sums are of."
    )
    gate_sum: Annotated[Number, Level.EXPERT] = Field(
        None,
        title="Gate: sum",
        description="Sum of the pixels of the region, over all images.",
    )
    gate_mean: Annotated[Number, Level.EXPERT] = Field(
        None, title="Gate: mean", description="Mean value of these pixels, over all images of the opening."
    )


def _region_settings(n: int) -> dict[str, Any]:
    """The fields of one region; one of height or width 0 is not counted."""
    sizes = {
        "y": ("first row", "First row of the region, in the full image."),
        "x": ("first column", "First column of the region, in the full image."),
        "height": ("height", "Height of the region; 0: it is not counted."),
        "width": ("width", "Width of the region; 0: it is not counted."),
    }
    name = Field(
        f"Region {n}", max_length=40, title=f"Region {n}, name", description=f"What region {n} is called."
    )
    fields: dict[str, Any] = {f"roi{n}_name": (Annotated[str, Access.ALWAYS], name)}
    for field, (title, text) in sizes.items():
        fields[f"roi{n}_{field}"] = (Pixels, Field(0, title=f"Region {n}, {title}", description=text))
    return fields


def _gate_counts(n: int) -> dict[str, Any]:
    of = f"of the pixels of region {n}, over all images of the opening."
    return {
        f"gate_roi{n}_sum": (
            Annotated[Number, Level.EXPERT],
            Field(None, title=f"Gate: region {n}, sum", description=f"Sum {of}"),
        ),
        f"gate_roi{n}_mean": (
            Annotated[Number, Level.EXPERT],
            Field(None, title=f"Gate: region {n}, mean", description=f"Mean value {of}"),
        ),
    }


def _region_counts(n: int) -> dict[str, Any]:
    counts = {
        "sum": f"Sum of the pixels of region {n}.",
        "mean": f"Mean value of the pixels of region {n}.",
        "minimum": f"Least value of a pixel of region {n}.",
        "maximum": f"Greatest value of a pixel of region {n}.",
    }
    return {
        f"roi{n}_{count}": (
            Number if count == "sum" else Annotated[Number, Level.EXPERT],
            Field(None, title=f"Region {n}, {count}", description=text),
        )
        for count, text in counts.items()
    }


def _of_all(fields: Any) -> dict[str, Any]:
    return {name: field for n in range(1, REGIONS + 1) for name, field in fields(n).items()}


if TYPE_CHECKING:

    class PictureConfig(PictureSettings):
        """`PictureSettings`, and the regions."""

    class PictureResults(PictureCounts):
        """`PictureCounts`, and those of the regions."""

    class GateStatus(GateCounts):
        """`GateCounts`, and those of the regions."""

else:
    PictureConfig = create_model(
        "PictureConfig",
        __base__=PictureSettings,
        __doc__=PictureSettings.__doc__,
        __module__=__name__,
        **_of_all(_region_settings),
    )
    PictureResults = create_model(
        "PictureResults",
        __base__=PictureCounts,
        __doc__=PictureCounts.__doc__,
        __module__=__name__,
        **_of_all(_region_counts),
    )
    GateStatus = create_model(
        "GateStatus",
        __base__=GateCounts,
        __doc__=GateCounts.__doc__,
        __module__=__name__,
        **_of_all(_gate_counts),
    )

RESULTS: tuple[str, ...] = tuple(PictureResults.model_fields)
"""The fields that are of one image."""

GATE_RESULTS: tuple[str, ...] = tuple(
    name
    for name in GateStatus.model_fields
    if name not in {"gate_state", "gate_message", "gate_acquisition_id", "gate_number"}
)
"""The fields that are of one opening of a gate."""
