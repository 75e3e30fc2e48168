"""Parameters of the engine as a whole."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from repstream.parameters.facts import Access, Level, Section, Unit


class EngineConfig(Section):
    """How the engine treats its data plane."""

    stall_patience: Annotated[float, Access.ALWAYS, Unit("s"), Level.EXPERT] = Field(
        30.0,
        ge=0.0,
        le=86_400.0,
        title="Patience with the data plane",
        description="Time after which a data plane that does not answer is ended; 0: only by reset.",
    )
