"""PyDM's panels: every PV in them is served; operated offscreen, in the environment of `make panels`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as xml

import h5py
import numpy as np
import pytest
from typer.testing import CliRunner

from repstream.parameters.catalogue import Group, build
from repstream_cli.main import app
from repstream_epics import names
from repstream_epics.pva.server import PvaServer
from repstream_epics.server import IocServer
from repstream_epics.views import chosen
from repstream_panels.epics.ui import channels
from tests.integration.rig import IMAGES, SHAPE
from tests.ioc.board_engine import BoardEngine
from tests.ioc.clients import environment
from tests.panels.stage import PYDM, SCRIPTS, Stage, needed, run

PREFIX, AREA_DETECTOR = "T:PANEL:", "T:AD:"
CATALOGUE = build()


@pytest.fixture(scope="module")
def panels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("panels")
    options = ["--for", "pydm", "--prefix", PREFIX, "--areadetector", AREA_DETECTOR]
    done = CliRunner().invoke(app, ["panel", "epics", str(folder), *options])
    assert done.exit_code == 0, done.output
    return folder


@pytest.fixture
def operated(tmp_path: Path) -> Iterator[tuple[Stage, dict[str, str]]]:
    """An engine that shows over both protocols, and the environment of a client of it."""
    needed(PYDM)
    stage = Stage(tmp_path)
    engines = {"stage": stage.service}
    with IocServer(engines, PREFIX, port=0) as ioc, PvaServer(engines, PREFIX, port=0) as pva:
        pva_only = {"EPICS_PVA_NAME_SERVERS": f"127.0.0.1:{pva.port}", "EPICS_PVA_AUTO_ADDR_LIST": "NO"}
        yield stage, environment(ioc.port) | pva_only | {"EPICS_PVA_ADDR_LIST": ""}
    stage.close()


def roots(panels: Path) -> dict[str, xml.Element]:
    return {path.stem: xml.parse(path).getroot() for path in panels.glob("*.ui")}


def test_every_pv_in_them_is_served(panels: Path) -> None:
    engine = BoardEngine(CATALOGUE)
    served = {f"ca://{pv}" for pv in IocServer({"x": engine}, PREFIX, views=chosen(AREA_DETECTOR)).channels}
    served |= {f"pva://{pv}" for pv in PvaServer({"x": engine}, PREFIX).names}
    assert set(roots(panels)) == {"overview", "areadetector", Group.STREAM, Group.WRITER, Group.PICTURE}
    for name, root in roots(panels).items():
        for slot in CATALOGUE.slots(name) or (0,):
            shown = {channel.replace("${N}", str(slot)) for channel in channels(root)}
            assert shown and shown <= served, f"{min(shown - served)} in {name}"


def test_operators_find_every_parameter_and_command_of_theirs(panels: Path) -> None:
    for group in (Group.STREAM, Group.WRITER, Group.PICTURE):
        shown = {channel.replace("${N}", "1") for channel in channels(roots(panels)[group])}
        shown = {channel.removeprefix(f"ca://{PREFIX}") for channel in shown}
        for parameter in CATALOGUE.of(group, 1):
            assert shown & {names.readback(parameter), names.text_of(parameter)}, parameter.key
            assert not parameter.writable or names.setpoint(parameter) in shown
        assert all(names.setpoint(command) in shown for command in CATALOGUE.commands_of(group, 1))


def test_an_operator_works_with_them(
    panels: Path, operated: tuple[Stage, dict[str, str]], tmp_path: Path
) -> None:
    engine, of_client = operated
    said = run(PYDM, SCRIPTS / "operator_at_pydm.py", panels, tmp_path, **of_client)
    seen = json.loads(said.splitlines()[-1])
    assert seen["missing"] == "1 frames" and engine.value("source.missing") == 1
    picture = np.array(seen["picture"])
    assert picture.shape == SHAPE
    assert any(np.array_equal(picture, IMAGES(n)) for n in range(engine.value("pictures.1.image_id") + 1))
    assert seen["file"] == engine.value("writers.1.full_file_name") and Path(seen["file"]).name.startswith(
        "shift"
    )
    with h5py.File(seen["file"]) as file:
        ids = file["detector/metadata"]["image_id"].tolist()
        assert len(ids) == 15
        for n, image_id in enumerate(ids):
            assert np.array_equal(file["entry/data/data"][n], IMAGES(image_id))
    assert seen["region"] == [20, 10, 40, 30] and seen["drawn"] == [0, 0, *SHAPE[::-1]]
    region = [engine.value(f"pictures.1.roi1_{part}") for part in ("x", "y", "width", "height")]
    assert region == [50, 30, 40, 30]
    for picture in ("pydm-overview", "pydm-writer", "pydm-picture"):
        assert (tmp_path / f"{picture}.png").stat().st_size > 30_000


def test_another_program_is_refused(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["panel", "epics", str(tmp_path), "--for", "medm"])
    assert done.exit_code == 2 and not list(tmp_path.iterdir())
