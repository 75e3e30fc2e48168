"""The whole configuration of an engine: one source, streams and writers by name.

Each group of the catalogue that has settings is a field of its own name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Annotated, Any, Self, cast

from pydantic import BeforeValidator, Field, field_validator

from repstream.parameters.engine import EngineConfig
from repstream.parameters.facade import FacadeConfig
from repstream.parameters.facts import Section
from repstream.parameters.picture import SLOTS as PICTURES
from repstream.parameters.picture import PictureConfig
from repstream.parameters.source import SourceConfig
from repstream.parameters.stream import StreamConfig
from repstream.parameters.writer import WriterConfig

SCHEMA_VERSION = 1
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,30}")


def numbered(count: int) -> Callable[[Any], Any]:
    """A validator for the settings of a group with `count` numbered slots, by their numbers.

    One that is not given has its defaults; any other name is refused.
    """
    numbers = [str(number) for number in range(1, count + 1)]

    def fill(given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        if other := [name for name in given if name not in numbers]:
            raise ValueError(f"there is no {other[0]!r}, only {', '.join(numbers)}")
        return {number: given.get(number, {}) for number in numbers}

    return fill


class Configuration(Section):
    """What is loaded from and saved to JSON. The order of streams and writers is that of their slots."""

    schema_version: int = Field(SCHEMA_VERSION, description="Version of this shape.")
    engine: EngineConfig = EngineConfig()
    source: SourceConfig = SourceConfig()
    streams: dict[str, StreamConfig] = Field(default_factory=dict)
    writers: dict[str, WriterConfig] = Field(default_factory=dict)
    facade: FacadeConfig = FacadeConfig()
    pictures: Annotated[dict[str, PictureConfig], BeforeValidator(numbered(PICTURES))] = Field(
        default_factory=dict, description="Pictures of streams, by number."
    )
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

    @classmethod
    def path(cls) -> str:
        """Where another process finds this class: ``module:name``, see `at_path`."""
        return f"{cls.__module__}:{cls.__qualname__}"

    def sections(self, group: str) -> Mapping[str, Section]:
        """What a group holds, by name; the only one of a group without slots has none: ``""``."""
        held = getattr(self, group, {})
        if isinstance(held, Section):
            return {"": held}
        return held if isinstance(held, dict) and group != "slots" else {}

    def with_section(self, group: str, name: str, section: Section) -> Self:
        """A copy with one section replaced."""
        changed = {**self.sections(group), name: section} if name else section
        return self.model_copy(update={group: changed})


def at_path(path: str) -> type[Configuration]:
    """The configuration of a kind of engine, by its `Configuration.path`."""
    module, _, name = path.partition(":")
    found = getattr(import_module(module), name)
    assert issubclass(found, Configuration)
    return cast(type[Configuration], found)
