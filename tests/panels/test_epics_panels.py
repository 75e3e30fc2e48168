"""Phoebus' displays: well-formed, every PV in them is served, everything lies inside; Phoebus is not run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as xml

import pytest
from typer.testing import CliRunner

from repstream.parameters.catalogue import Group, build
from repstream_cli.main import app
from repstream_epics import names
from repstream_epics.pva.server import PvaServer
from repstream_epics.server import IocServer
from repstream_epics.views import chosen
from repstream_panels.epics.bob import pv_names
from tests.ioc.board_engine import BoardEngine

PREFIX, AREA_DETECTOR = "T:PANEL:", "T:AD:"
CATALOGUE = build()
KNOWN = {"label", "group", "textupdate", "textentry", "combo", "led", "progressbar", "action_button", "image"}


@pytest.fixture(scope="module")
def panels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, xml.Element]:
    folder = tmp_path_factory.mktemp("panels")
    arguments = [
        "panel",
        "epics",
        str(folder),
        "--prefix",
        PREFIX,
        "--image-size",
        "1200x800",
        "--areadetector",
        AREA_DETECTOR,
    ]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    return {path.stem: xml.parse(path).getroot() for path in folder.glob("*.bob")}


def expanded(root: xml.Element, slot: int, prefix: str = PREFIX) -> Iterator[str]:
    """All PVs but those of an action's own macro, for one slot."""
    for name in pv_names(root):
        if name != "$(pv_name)":
            yield name.replace("$(P)", prefix).replace("$(N)", str(slot))


def test_every_pv_in_them_is_served(panels: dict[str, xml.Element]) -> None:
    engine = BoardEngine(CATALOGUE)
    over_ca = set(IocServer({"x": engine}, PREFIX, views=chosen(AREA_DETECTOR)).channels)
    over_pva = set(PvaServer({"x": engine}, PREFIX).names)
    assert set(panels) == {"overview", "areadetector", Group.STREAM, Group.WRITER, Group.PICTURE}
    for name, root in panels.items():
        for slot in CATALOGUE.slots(name) or (0,):
            prefix = root.findtext("macros/P") or ""
            for pv in expanded(root, slot, prefix):
                served = over_pva if pv.startswith("pva://") else over_ca
                assert pv.removeprefix("pva://") in served, f"{pv} in {name}"


def test_operators_find_every_parameter_and_command_of_theirs(panels: dict[str, xml.Element]) -> None:
    for group in (Group.STREAM, Group.WRITER, Group.PICTURE):
        shown = set(expanded(panels[group], 1))
        for parameter in CATALOGUE.of(group, 1):
            assert shown & {PREFIX + names.readback(parameter), PREFIX + names.text_of(parameter)}, (
                parameter.key
            )
            if parameter.writable:
                assert PREFIX + names.setpoint(parameter) in shown
        for command in CATALOGUE.commands_of(group, 1):
            assert PREFIX + names.setpoint(command) in shown
    for pv in ("State_RBV", "Start", "Stop", "Src:Address", "Wr1:Progress_RBV", "Strm8:Name_RBV"):
        assert PREFIX + pv in set(expanded(panels["overview"], 0))


def test_everything_has_a_place_inside_and_a_kind_that_phoebus_knows(panels: dict[str, xml.Element]) -> None:
    for root in panels.values():
        _check_inside(root, *(int(root.findtext(side) or 0) for side in ("width", "height")))


def _check_inside(parent: xml.Element, width: int, height: int) -> None:
    for widget in parent.findall("widget"):
        x, y, wide, high = (int(widget.findtext(f) or 0) for f in ("x", "y", "width", "height"))
        assert widget.get("type") in KNOWN
        assert x >= 0 and y >= 0 and wide > 0 and high > 0
        assert x + wide <= width and y + high <= height, widget.findtext("name")
        _check_inside(widget, wide, high)


def test_panels_open_each_other_and_a_button_gives_its_command(panels: dict[str, xml.Element]) -> None:
    actions = list(panels["overview"].iter("action"))
    opened = {a.findtext("file") for a in actions if a.get("type") == "open_display"}
    assert opened == {"streams.bob", "writers.bob", "pictures.bob"}
    start = next(
        w for w in panels[Group.WRITER].iter("widget") if w.findtext("pv_name") == "$(P)Wr$(N):Start"
    )
    action = start.find("actions/action")
    assert action is not None and action.get("type") == "write_pv"
    assert (action.findtext("pv_name"), action.findtext("value")) == ("$(pv_name)", "1")


def test_regions_are_drawn_in_pixels_of_the_image(panels: dict[str, xml.Element]) -> None:
    image = next(w for w in panels[Group.PICTURE].iter("widget") if w.get("type") == "image")
    assert image.findtext("pv_name") == "pva://$(P)Pictures$(N):Image"
    assert (image.findtext("x_axis/maximum"), image.findtext("y_axis/minimum")) == ("1200", "800")
    assert len(image.findall("rois/roi")) == 4
    assert image.findtext("rois/roi/width_pv") == "$(P)Pictures$(N):Roi1Width"


@pytest.mark.parametrize("size", ["big", "0x5", "5"])
def test_a_size_that_is_none_is_refused(tmp_path: Path, size: str) -> None:
    done = CliRunner().invoke(app, ["panel", "epics", str(tmp_path), "--image-size", size])
    assert done.exit_code == 2 and not list(tmp_path.iterdir())
