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
        ("repeater", "RepStream"),
        ("repeater", "HDF5Writer"),
        ("repeater", "LiveStream"),
        ("repeater", "LivePicture"),
        ("repeater", "LimaCCDs"),
        ("camera", "RepStream"),
        ("pipeline", "RepStream"),
    ],
)
def test_an_operator_sees_few_attributes_of_a_device(kind: str, device_class: str) -> None:
    names = list(shown(catalogue(kind), device_class))
    assert 0 < len(names) <= MOST - OWN, sorted(names)


@pytest.mark.parametrize(
    ("device_class", "wanted"),
    [
        ("RepStream", {"SourceReceived", "SourceMissing", "StreamNames", "StreamRates", "StreamDropped"}),
        ("LiveStream", {"Name", "Policy", "EveryNth", "Rate", "Dropped"}),
        ("LivePicture", {"Image", "Sum", "Roi4Sum", "CentreX", "Binning"}),
    ],
)
def test_what_an_operator_needs_is_among_them(device_class: str, wanted: set[str]) -> None:
    assert wanted <= set(shown(catalogue("repeater"), device_class))
