"""Parameters of a writer that say what was measured: they go to NeXus' places in its files."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from repstream.parameters import goniometer
from repstream.parameters.facts import Access, Level, LongText, Section, Unit
from repstream.parameters.json_text import MOST_CHARACTERS, parse_object

_TAKEN = frozenset({"acquisition", "data", "user_metadata", "start_time", "end_time", "definition"})


class ExperimentConfig(Section):
    """What the stream does not say. Zero or empty: not known; a DECTRIS detector's own value counts then."""

    title: Annotated[str, Access.WHILE_IDLE] = Field(
        "", max_length=255, title="Title", description="What is measured, in words (entry/title)."
    )
    proposal: Annotated[str, Access.WHILE_IDLE] = Field(
        "",
        max_length=255,
        title="Proposal",
        description="Number or name of the proposal (entry/experiment_identifier).",
    )
    instrument_name: Annotated[str, Access.WHILE_IDLE] = Field(
        "",
        max_length=255,
        title="Instrument",
        description="Name of the beamline or instrument (entry/instrument/name).",
    )
    user_name: Annotated[str, Access.WHILE_IDLE] = Field(
        "", max_length=255, title="User", description="Name of the person who measures (entry/user/name)."
    )
    sample_name: Annotated[str, Access.WHILE_IDLE] = Field(
        "", max_length=255, title="Sample", description="Name of the sample (entry/sample/name)."
    )
    detector_distance: Annotated[float, Access.WHILE_IDLE, Unit("m"), Level.EXPERT] = Field(
        0.0, ge=0.0, le=1000.0, title="Detector distance", description="From sample to sensor; 0: not known."
    )
    pixel_size_x: Annotated[float, Access.WHILE_IDLE, Unit("um"), Level.EXPERT] = Field(
        0.0, ge=0.0, le=1e6, title="Pixel width", description="Along the fast axis; 0: not known."
    )
    pixel_size_y: Annotated[float, Access.WHILE_IDLE, Unit("um"), Level.EXPERT] = Field(
        0.0, ge=0.0, le=1e6, title="Pixel height", description="Along the slow axis; 0: not known."
    )
    beam_center_x: Annotated[float, Access.WHILE_IDLE, Unit("pixels"), Level.EXPERT] = Field(
        0.0,
        ge=-1e6,
        le=1e6,
        title="Beam centre, x",
        description="Where the beam meets the detector plane, along the fast axis; both 0: not known.",
    )
    beam_center_y: Annotated[float, Access.WHILE_IDLE, Unit("pixels"), Level.EXPERT] = Field(
        0.0,
        ge=-1e6,
        le=1e6,
        title="Beam centre, y",
        description="Where the beam meets the detector plane, along the slow axis; both 0: not known.",
    )
    photon_energy: Annotated[float, Access.WHILE_IDLE, Unit("eV"), Level.EXPERT] = Field(
        0.0,
        ge=0.0,
        le=1e9,
        title="Photon energy",
        description="Energy of the beam; 0: not known, or as wavelength says.",
    )
    wavelength: Annotated[float, Access.WHILE_IDLE, Unit("angstrom"), Level.EXPERT] = Field(
        0.0,
        ge=0.0,
        le=1e6,
        title="Wavelength",
        description="Wavelength of the beam; 0: not known, or as photon_energy says.",
    )
    count_time: Annotated[float, Access.WHILE_IDLE, Unit("s"), Level.EXPERT] = Field(
        0.0, ge=0.0, le=1e6, title="Count time", description="Exposure of an image; 0: not known."
    )
    frame_time: Annotated[float, Access.WHILE_IDLE, Unit("s"), Level.EXPERT] = Field(
        0.0, ge=0.0, le=1e6, title="Frame time", description="From one image to the next; 0: not known."
    )
    nexus_metadata: Annotated[str, Access.WHILE_IDLE, LongText(MOST_CHARACTERS), Level.EXPERT] = Field(
        "",
        max_length=MOST_CHARACTERS,
        title="Further NeXus fields",
        description="A JSON object of fields below entry, such as "
        '{"sample": {"temperature": {"value": 80, "units": "K"}}}; goniometer states vectors of axes.',
    )
    data_axis: Annotated[Literal["image_id", "time"], Access.WHILE_IDLE, Level.EXPERT] = Field(
        "image_id",
        title="Axis of the images",
        description="What viewers show the images against: their ids, or the times at which they came.",
    )

    @field_validator("nexus_metadata")
    @classmethod
    def _nexus_metadata_is_an_object(cls, text: str) -> str:
        found = parse_object(text)
        if taken := sorted(_TAKEN & found.keys()):
            raise ValueError(f"must not have {taken[0]!r}, which is the writer's own")
        goniometer.stated_axes(found.get(goniometer.KEY, {}))
        return text
