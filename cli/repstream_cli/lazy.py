"""Commands that are imported when they are used, so that `repstream --help` needs none of them."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import typer
from typer.core import TyperCommand


@dataclass(frozen=True)
class Place:
    """Where a command is: the module, and the function or the `typer.Typer` there.

    `summary` is the first sentence of its help, which stands in the list of commands.
    """

    module: str
    name: str
    summary: str
    settings: Mapping[str, Any] = field(default_factory=dict)

    def load(self) -> Any:
        """The function or the application."""
        return getattr(importlib.import_module(self.module), self.name)


class LazyCommand(TyperCommand):
    """Stands for a command until that is called, completed or asked for its help."""

    def __init__(self, name: str, place: Place) -> None:
        super().__init__(name, help=place.summary, rich_markup_mode="rich")
        self.place = place

    @cache  # noqa: B019 - there are a dozen, which live as long as the process
    def loaded(self) -> Any:
        """The command itself."""
        found = self.place.load()
        if not isinstance(found, typer.Typer):
            app = typer.Typer(
                add_completion=False, rich_markup_mode="rich", pretty_exceptions_show_locals=False
            )
            app.command(self.name, **self.place.settings)(found)
            found = app
        return typer.main.get_command(found)

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        return self.loaded().make_context(info_name, args, parent, **extra)
