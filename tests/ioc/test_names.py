from __future__ import annotations

import pytest

from repstream.errors import Refused
from repstream.parameters.catalogue import build
from repstream.protocol import Requester
from repstream_epics import names
from repstream_epics.channels import Raw
from repstream_epics.projection import CatalogueView
from repstream_epics.view import Control

CATALOGUE = build()


class RefusesAll:
    """Fills `view.Handlers`."""

    async def put(self, control: Control, raw: Raw, requester: Requester) -> bool:
        raise Refused("put", "not here")

    async def refuse(self, control: Control, reason: str) -> bool:
        raise Refused("put", reason)


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("engine.state", "State_RBV"),
        ("source.address", "Src:Address_RBV"),
        ("streams.1.every_nth", "Strm1:EveryNth_RBV"),
        ("writers.4.num_images", "Wr4:NumImages_RBV"),
    ],
)
def test_names_follow_from_keys(key: str, expected: str) -> None:
    assert names.readback(CATALOGUE.parameters[key]) == expected


def test_every_parameter_and_command_has_its_own_pv() -> None:
    view = CatalogueView(CATALOGUE, "P:", RefusesAll())
    assert view.parameters.keys() == CATALOGUE.parameters.keys()
    assert view.commands.keys() == CATALOGUE.commands.keys()
    assert len({pvs.readback.pvname for pvs in view.parameters.values()}) == len(CATALOGUE.parameters)


def test_setpoints_exist_only_for_what_may_be_written() -> None:
    view = CatalogueView(CATALOGUE, "P:", RefusesAll())
    for key, parameter in CATALOGUE.parameters.items():
        assert (view.parameters[key].setpoint is not None) is parameter.writable


def test_a_prefix_that_makes_names_too_long_is_refused() -> None:
    with pytest.raises(ValueError, match="at most 60"):
        CatalogueView(CATALOGUE, "A:VERY:LONG:PREFIX:THAT:LEAVES:NO:ROOM:FOR:NAMES:", RefusesAll())


@pytest.mark.parametrize("prefix", ["with blank:", "µ:", "dot.dot:"])
def test_a_prefix_that_clients_could_not_ask_for_is_refused(prefix: str) -> None:
    with pytest.raises(ValueError, match="printable ASCII"):
        CatalogueView(CATALOGUE, prefix, RefusesAll())


def test_the_engine_macro_becomes_the_engines_name() -> None:
    assert names.prefix_of("X:$(ENGINE):", "eiger") == "X:eiger:"
