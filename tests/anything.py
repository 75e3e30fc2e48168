"""Writes of anything to any parameter, through any front end: what must hold of each of them."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import HealthCheck, Phase, settings

from repstream.parameters.catalogue import Parameter
from repstream.parameters.facts import Value
from repstream.service.service import Service

CHEAP = settings(
    suppress_health_check=list(HealthCheck), phases=[Phase.explicit, Phase.generate], deadline=None
)
"""Nothing is shrunk: an example is a hundred writes through a server."""


def settable(service: Service) -> dict[str, Parameter]:
    """The writable parameters of what is there, but those of the control lock, by key."""
    held = service.snapshot().values
    return {
        key: parameter
        for key, parameter in service.catalogue.parameters.items()
        if parameter.writable and held[key] is not None and ".lock_" not in key
    }


def held(service: Service, keys: Mapping[str, Parameter]) -> dict[str, Value]:
    """What the engine holds of these parameters."""
    values = service.snapshot().values
    return {key: values[key] for key in keys}


def changed(before: Mapping[str, Value], after: Mapping[str, Value]) -> set[str]:
    """The keys whose values differ."""
    return {key for key, value in before.items() if after[key] != value}


def owners(keys: set[str]) -> set[str]:
    """What has these keys: an engine, a source, one stream, one writer, …"""
    return {key.rpartition(".")[0] for key in keys}
