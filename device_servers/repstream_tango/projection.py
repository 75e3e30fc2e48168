"""Catalogue in, Tango out: attributes, commands and device classes, made once and static."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from tango import CmdArgType
from tango.server import attribute, device_property

from repstream.link.attach import DEFAULT_ADDRESS
from repstream.parameters.catalogue import Catalogue, Command, Group, Parameter
from repstream.parameters.facts import Format, Kind, Value
from repstream_tango.attributes import tango_attribute
from repstream_tango.command_line import NO_REPEATERS
from repstream_tango.commands import tango_command
from repstream_tango.device import EngineDevice
from repstream_tango.hdf5_writer import WriterDevice
from repstream_tango.lima.projection import lima_class
from repstream_tango.lists import list_attributes
from repstream_tango.live_stream import StreamDevice
from repstream_tango.names import (
    PICTURE_CLASS,
    REPEATER_CLASS,
    STREAM_CLASS,
    WRITER_CLASS,
    attribute_name,
    check,
    command_names,
    text_label,
    text_name,
)
from repstream_tango.pictures.attributes import all_attributes, own_attributes
from repstream_tango.pictures.live_picture import LivePictureDevice
from repstream_tango.publisher import Publisher
from repstream_tango.repeater import RepeaterDevice
from repstream_tango.slot import SlotDevice
from repstream_tango.types import argument_type, configuration, display_level, tango_type

MakeClass = Callable[[Catalogue, Mapping[str, Any]], type[EngineDevice]]
"""Makes a Tango class that shows a catalogue, with the members that every class has."""


def repeater_class(catalogue: Catalogue, common: Mapping[str, Any]) -> type[EngineDevice]:
    """The class `RepStream`: everything but the writers."""
    owners = [owner for owner in catalogue.owners if owner[0] != Group.WRITER]
    shown = tuple(all_attributes(catalogue))
    lists = tuple(list_attributes(catalogue))
    more = {one.name: one.made() for one in lists} | {one.name: one.made() for one in shown}
    members = _members(catalogue, owners)
    if clashes := more.keys() & members.keys():
        raise ValueError(f"more than one thing would be {', '.join(sorted(clashes))} in Tango")
    own = {"picture_attributes": shown, "list_attributes": lists}
    return type(REPEATER_CLASS, (RepeaterDevice,), {**members, **more, **own, **common})


def writer_class(catalogue: Catalogue, common: Mapping[str, Any]) -> type[EngineDevice]:
    """The class `HDF5Writer`: the writer in one slot."""
    return _slot_class(WRITER_CLASS, WriterDevice, catalogue, common)


def stream_class(catalogue: Catalogue, common: Mapping[str, Any]) -> type[EngineDevice]:
    """The class `LiveStream`: the stream in one slot."""
    return _slot_class(STREAM_CLASS, StreamDevice, catalogue, common)


def picture_class(catalogue: Catalogue, common: Mapping[str, Any]) -> type[EngineDevice]:
    """The class `LivePicture`: the picture in one slot."""
    shown = tuple(own_attributes(catalogue, 1))
    more = {"picture_attributes": shown, **{one.name: one.made() for one in shown}}
    return _slot_class(PICTURE_CLASS, LivePictureDevice, catalogue, {**common, **more})


CLASSES: tuple[MakeClass, ...] = (repeater_class, writer_class, stream_class, picture_class, lima_class)
"""The classes of the server; a facade that imitates another program's device is one of them."""

SHOWS: Mapping[MakeClass, str] = MappingProxyType(
    {
        writer_class: Group.WRITER,
        stream_class: Group.STREAM,
        picture_class: Group.PICTURE,
        lima_class: Group.WRITER,
    }
)
"""The group that a class shows, which not every kind of engine has."""


def device_classes(
    catalogue: Catalogue,
    publisher: Publisher,
    engine: str = DEFAULT_ADDRESS,
    classes: Sequence[MakeClass] = CLASSES,
    engines: Mapping[str, str] = NO_REPEATERS,
) -> tuple[type[EngineDevice], ...]:
    """The classes for a catalogue; `engine` is the default of their property `Engine`.

    `engines` are the addresses of devices that have one of their own, by name in lower case.

    Raises `ValueError` where the catalogue's names do not fit into Tango.
    """
    check(catalogue)
    common = {
        "publisher": publisher,
        "catalogue": catalogue,
        "engines": engines,
        "Engine": device_property(dtype=str, default_value=engine, doc="Address of the engine."),
    }
    # A class without a device makes cppTango make one called NoName, which has no slot to show either.
    fitting = (make for make in classes if make not in SHOWS or catalogue.slots(SHOWS[make]))
    return tuple(make(catalogue, common) for make in fitting)


def _slot_class(
    name: str, base: type[SlotDevice], catalogue: Catalogue, common: Mapping[str, Any]
) -> type[EngineDevice]:
    slot = device_property(
        dtype=str,  # a number would fail with pytango's words, which name neither property nor slots
        default_value="0",
        doc="Slot that is shown; 0 takes the number that the device's name ends with, else 1.",
    )
    own = {"slots": catalogue.slots(base.group), "Slot": slot}
    return type(name, (base,), {**_members(catalogue, [(base.group, 1)], alone=True), **common, **own})


def _members(catalogue: Catalogue, owners: Iterable[tuple[str, int]], alone: bool = False) -> dict[str, Any]:
    owners = tuple(owners)
    parameters = tuple(p for owner in owners for p in catalogue.of(*owner))
    commands = (c for owner in owners for c in catalogue.commands_of(*owner))
    return {
        "parameters": parameters,
        **{attribute_name(p, alone): _attribute(p, alone) for p in parameters},
        **{text_name(p, alone): _text_attribute(p, alone) for p in parameters if p.format is Format.TIME},
        **dict(pair for declared in commands for pair in _commands(declared)),
    }


def _attribute(parameter: Parameter, alone: bool) -> attribute:
    def read(device: EngineDevice) -> Any:
        return device.read_parameter(parameter)

    def write(device: EngineDevice, value: Any) -> None:
        device.write_parameter(parameter, value)

    return tango_attribute(
        attribute_name(parameter, alone),
        read,
        write if parameter.writable else None,
        dtype=tango_type(parameter),
        **configuration(parameter, alone),
    )


def _text_attribute(parameter: Parameter, alone: bool) -> attribute:
    def read(device: EngineDevice) -> Any:
        return device.read_text(parameter)

    return tango_attribute(
        text_name(parameter, alone),
        read,
        dtype=CmdArgType.DevString,
        label=text_label(parameter, alone=alone),
        doc=parameter.text,
        display_level=display_level(parameter, alone),
    )


def _commands(declared: Command) -> Iterator[tuple[str, Callable[..., Any]]]:
    argument = declared.argument
    names = command_names(declared)
    if argument is None or len(names) == 2:
        yield names[0], _without_argument(names[0], declared)
    if argument is not None:
        yield names[-1], _with_argument(names[-1], declared, argument.kind, argument.text)


def _answer(declared: Command) -> tuple[str, CmdArgType]:
    """Text and type of what a command returns: one that takes a writer long names its acquisition."""
    if declared.group == Group.WRITER and declared.waits:
        return " Returns at once, with the id of the acquisition.", CmdArgType.DevString
    return "", CmdArgType.DevVoid


def _without_argument(name: str, declared: Command) -> Callable[..., Any]:
    text, dtype = _answer(declared)

    def execute(device: EngineDevice) -> str | None:
        return device.execute(declared, None, name)

    return tango_command(name, execute, f"{declared.text}{text}", dtype_out=dtype)


def _with_argument(name: str, declared: Command, kind: Kind, text: str) -> Callable[..., Any]:
    answer, dtype = _answer(declared)

    def execute(device: EngineDevice, argument: Value) -> str | None:
        # An empty text is one that was left out: Tango's DevString cannot be missing.
        return device.execute(declared, None if argument == "" else argument, name)

    return tango_command(name, execute, f"{declared.text} {text}{answer}", argument_type(kind), dtype)
