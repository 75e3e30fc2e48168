"""What interfaces of replaced systems hold that no other parameter does, so that it survives a restart."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from repstream.parameters.facts import Access, Level, LongText, Section
from repstream.parameters.json_text import parse_object

MOST_CHARACTERS = 65536


class FacadeConfig(Section):
    """Kept for foreign interfaces; the engine does nothing with it."""

    std_daq: Annotated[str, Access.ALWAYS, Level.EXPERT, LongText(MOST_CHARACTERS)] = Field(
        "",
        max_length=MOST_CHARACTERS,
        title="Standard DAQ: kept configuration",
        description="What a standard DAQ's configuration holds beside the engine's parameters, as JSON.",
    )

    area_detector: Annotated[str, Access.ALWAYS, Level.EXPERT, LongText(MOST_CHARACTERS)] = Field(
        "",
        max_length=MOST_CHARACTERS,
        title="areaDetector: kept values",
        description="What areaDetector's clients set beside the engine's parameters, as JSON by PV.",
    )

    lima: Annotated[str, Access.ALWAYS, Level.EXPERT, LongText(MOST_CHARACTERS)] = Field(
        "",
        max_length=MOST_CHARACTERS,
        title="Lima: kept values",
        description="What Lima's clients set beside the engine's parameters, as JSON by attribute.",
    )

    epics_alarms: Annotated[str, Access.ALWAYS, Level.EXPERT, LongText(MOST_CHARACTERS)] = Field(
        "",
        max_length=MOST_CHARACTERS,
        title="EPICS: alarm levels",
        description="Alarm levels that EPICS clients have set, as JSON by parameter.",
    )

    @field_validator("std_daq", "area_detector", "lima", "epics_alarms")
    @classmethod
    def _is_an_object(cls, text: str) -> str:
        parse_object(text)
        return text
