"""What operators see of each device class: few enough attributes for one form."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import tango

from repstream.link.remote import RemoteEngine
from repstream.parameters.catalogue import Catalogue, build
from repstream.parameters.instance import CAMERA_GROUPS, PIPELINE_GROUPS
from repstream_tango.projection import device_classes
from repstream_tango.publisher import Publisher

MOST = 45
OWN = 2
"""State and Status."""
GROUPS = {"repeater": None, "camera": CAMERA_GROUPS, "pipeline": PIPELINE_GROUPS}


def catalogue(kind: str) -> Catalogue:
    groups = GROUPS[kind]
    return build() if groups is None else build(groups)


def shown(of: Catalogue, device_class: str) -> Iterator[str]:
    """The attributes of a class for operators."""
    (found,) = (c for c in device_classes(of, Publisher(RemoteEngine)) if c.__name__ == device_class)
    for name, made in found.TangoClassClass.attr_list.items():
        if made.display_level != tango.DispLevel.EXPERT:
            yield name


@pytest.mark.parametrize(
    ("kind", "device_class"),
    [
        ("repeater", "HDF5Writer"),
        ("repeater", "LimaCCDs"),
        ("camera", "RepStream"),
        ("pipeline", "RepStream"),
    ],
)
def test_an_operator_sees_few_attributes_of_a_device(kind: str, device_class: str) -> None:
    names = list(shown(catalogue(kind), device_class))
    assert 0 < len(names) <= MOST - OWN, sorted(names)


def test_an_operator_sees_few_attributes_of_a_picture() -> None:
    """A beamline need not have one; engine, source and one stream are counted in `test_devices`."""
    names = {name for name in shown(catalogue("repeater"), "RepStream") if name.startswith("Pictures1")}
    assert len(names) <= MOST
    assert {"Pictures1Image", "Pictures1Sum", "Pictures1Roi4Sum", "Pictures1CentreX"} <= names
