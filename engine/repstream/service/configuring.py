"""Changing the configuration: one value, many, or a whole file; all of it or nothing."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from repstream import states
from repstream.dataplane import control
from repstream.errors import InvalidValue, Refused
from repstream.parameters import slots, storage
from repstream.parameters.catalogue import Group, Parameter, key_of
from repstream.parameters.complaints import complaint
from repstream.parameters.configuration import Configuration
from repstream.parameters.facts import Kind, Section, Value
from repstream.parameters.merging import merged
from repstream.service.access import check_access
from repstream.service.context import ServiceContext
from repstream.service.owners import check_owner

T = TypeVar("T")


class Configurator:
    """Checks and applies changes, in one's turn.

    `may_begin` says whether the writer in a slot takes no frames now, so that its next file may be
    set up.
    """

    def __init__(
        self,
        context: ServiceContext,
        roots: tuple[Path, ...],
        user_ids: tuple[int, ...],
        settings: Path | None,
        may_begin: Callable[[int], bool],
    ) -> None:
        self._context = context
        self._roots = roots
        self._user_ids = user_ids
        self._may_begin = may_begin
        self._folders = (*roots, *((settings.parent.resolve(),) if settings else ()))

    @property
    def _model(self) -> type[Configuration]:
        return type(self._context.configuration)

    async def write(self, values: Mapping[str, Value]) -> None:
        """Change parameters, all or none.

        A value that could never be taken is refused as such (`InvalidValue`) also where none may be
        written now: who would end an acquisition for the write need not do so in vain.
        """
        changes: dict[tuple[str, int], dict[str, Value]] = {}
        written: list[tuple[Parameter, str]] = []
        for given, value in values.items():
            parameter, name = self._parameter(given)
            check_access(parameter, name, self._held(parameter), idle=True)
            written.append((parameter, name))
            changes.setdefault((parameter.group, parameter.slot), {})[parameter.field] = converted(
                parameter, name, value, self._held(parameter)
            )
        configuration = self._context.configuration
        for (group, slot), fields in changes.items():
            configuration = self._changed(configuration, group, slot, fields)
        await self._check_outside(configuration)
        for parameter, name in written:
            self._check_access(parameter, name)
        await self._take(configuration)

    async def configure(self, text: str, subject: str) -> None:
        """Change what a JSON object in the shape of the configuration says, all or none.

        A stream or writer that is there is changed, one that is new is made, one given as null is
        removed.
        """
        tree = storage.as_object(text, subject)
        if "in-stream" in tree or "out-streams" in tree:
            await self.replace(storage.parse(text, subject, self._model), subject)
            return
        whole = json.loads(storage.dump(self._context.configuration))
        for key, part in storage.migrated(tree, subject).items():
            whole[key] = merged(whole.get(key), part)
        for group in self._context.catalogue.named:
            named, taken = whole[group], whole["slots"]
            if not isinstance(named, dict) or not isinstance(taken, dict):
                continue  # what it should be is said where the whole is validated
            for name in [name for name, part in named.items() if part is None]:
                del named[name]
                taken.pop(f"{group}.{name}", None)
        await self.replace(storage.parse(json.dumps(whole), subject, self._model), subject)

    async def replace(self, configuration: Configuration, subject: str) -> None:
        """Take a whole configuration, if every value that differs may be written now."""
        configuration = slots.assign(configuration, self._context.catalogue)
        held = self._context.configuration
        if held.slots != configuration.slots:
            self._check_idle(held, configuration, subject)
        before = self._flat(held)
        for key, value in self._flat(configuration).items():
            parameter = self._context.catalogue.parameters[slots.key_with_slot(configuration, key)]
            if before.get(key, value) != value:
                self._check_access(parameter, key)
        await self._check_outside(configuration)
        await self._take(configuration)

    async def read(self, path: str, subject: str) -> tuple[Path, Configuration]:
        """The configuration in a file, the last one where `path` is empty; for `replace`, in one's turn."""
        given = self._given(path, subject)

        def load() -> tuple[Path, Configuration]:
            target = self._file(given, subject)
            return target, storage.load(target, self._model)

        return await self._aside(subject, given, load)

    async def save(self, path: str, subject: str) -> None:
        """Save to a file, the last one where `path` is empty."""
        given, configuration = self._given(path, subject), self._context.configuration

        def save() -> Path:
            target = self._file(given, subject)
            storage.save(configuration, target)
            return target

        self.note_file(await self._aside(subject, given, save))

    def note_file(self, path: Path) -> None:
        """Put which file was used last."""
        with self._context.changing_engine() as engine:
            engine.config_file = str(path)

    async def _aside(self, subject: str, given: str, function: Callable[[], T]) -> T:
        return await self._context.folders.call(subject, str(Path(given).parent), function)

    async def _take(self, configuration: Configuration) -> None:
        if configuration == self._context.configuration:
            return
        if not states.is_open(self._context.state):
            self._context.reconfigure(configuration)
            return
        text = storage.dump(configuration)
        await self._context.ask(
            "configuration",
            lambda number: control.Update(number, text),
            lambda: self._context.reconfigure(configuration),
        )

    async def _check_outside(self, configuration: Configuration) -> None:
        """Refuse what the operating system does not permit."""
        self._check_owners(configuration)
        await self._check_folders(configuration)

    def _check_owners(self, configuration: Configuration) -> None:
        held = self._context.configuration.writers
        for name, writer in configuration.writers.items():
            if name not in held or held[name].user_id != writer.user_id:
                check_owner(f"writers.{name}.user_id", writer.user_id, self._user_ids)

    async def _check_folders(self, configuration: Configuration) -> None:
        """Refuse a writer's new folder that is not below a root.

        Only where its name alone does not say so is the file system asked, which may hang.
        """
        held = self._context.configuration.writers
        for name, writer in configuration.writers.items():
            folder = writer.folder
            if not folder or (name in held and held[name].folder == folder):
                continue
            normal = Path(os.path.normpath(folder))
            if any(normal.is_relative_to(root) for root in self._roots):
                continue
            subject = f"writers.{name}.folder"
            real = await self._context.folders.call(subject, folder, normal.resolve)
            if not any(real.is_relative_to(root) for root in self._roots):
                allowed = tuple(map(str, self._roots))
                stays = f"; it stays {held[name].folder!r}" if name in held else ""
                reason = f"{folder} is not below an allowed folder: {', '.join(allowed)}{stays}"
                raise InvalidValue(subject, reason, allowed)

    def _changed(
        self, configuration: Configuration, group: str, slot: int, fields: dict[str, Value]
    ) -> Configuration:
        name = str(slots.name_at(configuration, group, slot))
        section = configuration.sections(group)[name]
        return configuration.with_section(group, name, self._valid(section, group, slot, fields))

    def _valid(self, section: Section, group: str, slot: int, fields: dict[str, Value]) -> Section:
        try:
            return section.changed(dict(fields))
        except (ValidationError, ValueError) as error:
            field = next(iter(fields))
            name = self._name(key_of(group, slot, field))
            held = self._context.board.values[key_of(group, slot, field)]
            what = complaint(error, type(section)) if isinstance(error, ValidationError) else str(error)
            raise InvalidValue(name, f"{what}; it stays {held!r}") from error

    def _parameter(self, given: str) -> tuple[Parameter, str]:
        key = slots.key_with_slot(self._context.configuration, given)
        parameter = self._context.catalogue.parameters.get(key)
        if parameter is None:
            known = self._context.catalogue.parameters
            raise slots.no_such(self._context.configuration, given, "parameter", known)
        if (
            parameter.slot
            and slots.name_at(self._context.configuration, parameter.group, parameter.slot) is None
        ):
            raise Refused(given, "this slot is empty; configure adds a stream or writer")
        return parameter, self._name(key)

    def _check_access(self, parameter: Parameter, name: str) -> None:
        if parameter.group == Group.WRITER:
            idle = self._may_begin(parameter.slot)
        else:
            idle = not states.is_open(self._context.state)
        check_access(parameter, name, self._held(parameter), idle)

    def _check_idle(self, held: Configuration, wanted: Configuration, subject: str) -> None:
        if states.is_open(self._context.state):
            raise Refused(
                subject,
                "streams and writers come and go only while the repeater is not RUNNING; stop it first",
            )
        for key in held.slots.keys() - wanted.slots.keys():
            group, slot = key.partition(".")[0], held.slots[key]
            key_of_state = f"{group}.{slot}.state"
            if group == Group.WRITER and not states.is_ready(self._context.board.values[key_of_state]):
                raise Refused(subject, f"{key} is not READY and cannot be removed; stop it first")

    def _given(self, path: str, subject: str) -> str:
        given = path or self._context.engine.config_file
        if not given:
            raise Refused(subject, "no file was given, and none has been used before; give its name")
        return given

    def _file(self, given: str, subject: str) -> Path:
        """A file that may be used; it looks at the file system, which may hang."""
        target = Path(given).resolve()
        if not Path(given).is_absolute() or target.suffix != ".json":
            raise InvalidValue(subject, f"must be an absolute path that ends in .json, not {given!r}")
        if not any(target.is_relative_to(folder) for folder in self._folders):
            allowed = ", ".join(map(str, self._folders))
            raise InvalidValue(subject, f"{target} lies outside the allowed folders ({allowed})")
        return target

    def _flat(self, configuration: Configuration) -> dict[str, Value]:
        """Every configured value by named key, but what follows from others."""
        return {
            key_of(group, name, field): value
            for group in self._context.catalogue.groups
            for name, section in configuration.sections(group).items()
            for field, value in section.settings().items()
        }

    def _held(self, parameter: Parameter) -> Value:
        return self._context.board.values[parameter.key]

    def _name(self, key: str) -> str:
        return slots.key_with_name(self._context.configuration, key)


def converted(parameter: Parameter, name: str, value: Value, held: Value) -> Value:
    """`value` in the parameter's own type and within its limits; raises `InvalidValue`."""

    def refuse(wanted: str) -> InvalidValue:
        return InvalidValue(name, f"{value!r:.80} is not possible: must be {wanted}; it stays {held!r}")

    match parameter.kind:
        case Kind.BOOL:
            if isinstance(value, bool) or value in (0, 1):
                return bool(value)
            raise refuse("true or false")
        case Kind.CHOICE:
            if value in parameter.choices:
                return value
            raise refuse(f"one of {', '.join(parameter.choices)}")
        case Kind.TEXT:
            if isinstance(value, str) and len(value) <= parameter.length:
                return value
            raise refuse(f"a text of at most {parameter.length} characters")
        case Kind.INT | Kind.FLOAT:
            return _number(parameter, value, refuse(_range(parameter)))


def _number(parameter: Parameter, value: Value, refusal: InvalidValue) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise refusal
    if parameter.kind is Kind.INT and value != int(value):
        raise refusal
    low, high = parameter.minimum, parameter.maximum
    if (low is not None and value < low) or (high is not None and value > high):
        raise refusal
    return int(value) if parameter.kind is Kind.INT else float(value)


def _range(parameter: Parameter) -> str:
    what = "a whole number" if parameter.kind is Kind.INT else "a number"
    unit = f" {parameter.unit}" if parameter.unit else ""
    low, high = parameter.minimum, parameter.maximum
    if low is not None and high is not None:
        return f"{what} from {low} to {high}{unit}"
    if low is not None:
        return f"{what}, {low}{unit} or more"
    return what
