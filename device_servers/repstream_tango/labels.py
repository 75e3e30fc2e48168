"""Labels that carry the name of what is in a slot: ``live: Every nth frame`` for ``Stream1EveryNth``.

Names of attributes stay for ever; a label is configuration, may change, and is what forms of Taurus show.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from tango import AttributeConfig, DevFailed

from repstream.parameters.catalogue import Catalogue, Group
from repstream.parameters.facts import Role, Value
from repstream_tango.names import group_name, label, text_label
from repstream_tango.shown import Shown

log = logging.getLogger(__name__)

FACTS = (
    *("label", "description", "unit", "standard_unit", "display_unit", "format"),
    *("min_value", "max_value", "min_alarm", "max_alarm"),
)
"""What clients may have changed of an attribute's configuration."""


class Labels:
    """The labels of one device, whose attributes are `shown`. A label that a client has set stays."""

    def __init__(self, device: Any, catalogue: Catalogue, shown: Iterable[Shown]) -> None:
        self._device = device
        self._taken = {taken.casefold() for group in catalogue.groups for taken in _heads(group)}
        self._slots: dict[str, list[Shown]] = {}
        for one in shown:
            of = one.parameter
            if of.group in catalogue.named and of.group != Group.WRITER:
                self._slots.setdefault(catalogue.key(Role.NAME, of.group, one.slot), []).append(one)
        self._named: dict[str, str] = {}

    def changed(self, values: Mapping[str, Value]) -> dict[str, str]:
        """Of new values those that name a slot otherwise than its labels do; for `follow`."""
        names = {key: str(values[key] or "") for key in self._slots.keys() & values.keys()}
        names = {key: "" if name.casefold() in self._taken else name for key, name in names.items()}
        return {key: name for key, name in names.items() if name != self._named.get(key, "")}

    def follow(self, names: Mapping[str, str]) -> None:
        """Name slots in the labels; under the device's monitor, and not into the database.

        There they would be taken for labels that a client has set, and stay for ever.
        """
        for key, name in names.items():
            self._rename(self._slots[key], self._named.get(key, ""), name)
            self._named[key] = name

    def _rename(self, attributes: Iterable[Shown], before: str, name: str) -> None:
        given: dict[str, tuple[str, str]] = {}
        for shown in attributes:
            of = shown.parameter
            given[shown.name] = label(of, before), label(of, name)
            if shown.text_name:
                given[shown.text_name] = text_label(of, before), text_label(of, name)
        of_device = self._device.get_device_attr()
        held = (_configuration(of_device.get_attr_by_name(attribute)) for attribute in given)
        changed = [one for one in held if one.label == given[one.name][0]]
        for one in changed:
            one.label = given[one.name][1]
        try:
            self._device.set_attribute_config(changed)
        except DevFailed as failed:
            log.warning("labels of %s are not changed: %s", name or before, failed.args[0].desc)


def _configuration(attribute: Any) -> AttributeConfig:
    """As the device's own `get_attribute_config`, whose memory pytango 10.3 never frees (580 bytes)."""
    made = AttributeConfig()
    made.name, made.writable = attribute.get_name(), attribute.get_writable()
    made.writable_attr_name = attribute.get_assoc_name()
    made.data_type, made.data_format = attribute.get_data_type(), attribute.get_data_format()
    made.max_dim_x, made.max_dim_y = attribute.get_max_dim_x(), attribute.get_max_dim_y()
    properties = attribute.get_properties()
    for fact in FACTS:
        setattr(made, fact, getattr(properties, fact))
    return made


def _heads(group: str) -> tuple[str, str]:
    """What labels of other attributes begin with."""
    return group_name(group), f"{group_name(group)}s"
