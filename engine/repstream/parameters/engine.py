"""Parameters of the engine as a whole."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from repstream.parameters.facts import Access, Level, Section, Unit


class EngineConfig(Section):
    """How the engine treats its users, and what does not answer."""

    stall_patience: Annotated[float, Access.ALWAYS, Unit("s"), Level.EXPERT] = Field(
        30.0,
        ge=0.0,
        le=86_400.0,
        title="Patience with what does not answer",
        description="Time after which a data plane, or at a stop a disk, is given up; 0: only by reset.",
    )
    lock_timeout: Annotated[float, Access.ALWAYS, Unit("s"), Level.EXPERT] = Field(
        600.0,
        ge=0.0,
        le=604_800.0,
        title="Control lock times out after",
        description="Time without a sign of its owner after which the control lock is open again; 0: never.",
    )
