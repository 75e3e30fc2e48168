"""The whole configuration of an engine: one source, streams and writers by name."""

from __future__ import annotations

import re

from pydantic import Field, field_validator

from repstream.parameters.facts import Section
from repstream.parameters.source import SourceConfig
from repstream.parameters.stream import StreamConfig
from repstream.parameters.writer import WriterConfig

SCHEMA_VERSION = 1
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,30}")


class Configuration(Section):
    """What is loaded from and saved to JSON. The order of streams and writers is that of their slots."""

    schema_version: int = Field(SCHEMA_VERSION, description="Version of this shape.")
    source: SourceConfig = SourceConfig()
    streams: dict[str, StreamConfig] = Field(default_factory=dict)
    writers: dict[str, WriterConfig] = Field(default_factory=dict)
    slots: dict[str, int] = Field(
        default_factory=dict, description="Slot of each stream and writer, such as streams.live: 1."
    )

    @field_validator("streams", "writers")
    @classmethod
    def _names_are_names(cls, named: dict[str, object]) -> dict[str, object]:
        for name in named:
            if not NAME.fullmatch(name):
                raise ValueError(
                    f"{name!r} is no name: it must be a letter, then up to 30 letters, digits, _ or -"
                )
        return named
