"""Lists of PVs for other programs."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from repstream_epics.listing import Format, listing
from repstream_epics.server import IocServer
from repstream_epics.views import chosen
from tests.ioc.board_engine import BoardEngine
from tests.ioc.clients import environment, free_port, running_tool, tool

IOC = IocServer({"a": BoardEngine()}, "T:LIST:", views=chosen("T:AD:"))


def test_names_and_table_have_every_pv() -> None:
    assert listing(IOC.channels, Format.NAMES).splitlines() == list(IOC.channels)
    rows = {row["pv"]: row for row in csv.DictReader(io.StringIO(listing(IOC.channels, Format.CSV)))}
    assert rows.keys() == IOC.channels.keys()
    one = rows["T:LIST:Wr1:NumImages"]
    assert (one["record"], one["writable"], one["unit"], one["low"], one["high"], one["title"]) == (
        "longout",
        "yes",
        "images",
        "0",
        "2147483647",
        "Number of images",
    )
    assert rows["T:LIST:State_RBV"]["choices"].split("|")[0] == "INITIALIZED"
    assert rows["T:LIST:State_RBV"]["writable"] == "no"


def test_an_archiver_is_asked_for_values_that_are_worth_it() -> None:
    wished = {one["pv"] for one in json.loads(listing(IOC.channels, Format.ARCHIVER))}
    assert "T:LIST:Src:Rate_RBV" in wished and "T:LIST:State_RBV" in wished
    assert "T:LIST:Wr1:Folder_RBV" not in wished and "T:LIST:Wr1:NumImages" not in wished


def test_a_soft_ioc_of_base_loads_the_database(tmp_path: Path) -> None:
    database = tmp_path / "repstream.db"
    database.write_text(listing(IOC.channels, Format.DB))
    port = free_port()
    names = {"EPICS_CAS_INTF_ADDR_LIST": "127.0.0.1", "EPICS_CAS_SERVER_PORT": str(port)}
    beacons = {"EPICS_CAS_BEACON_ADDR_LIST": "127.0.0.1"}
    with running_tool(environment(port) | names | beacons, "softIoc", "-S", "-d", str(database)):
        wanted = ["T:LIST:State_RBV", "T:LIST:Wr1:NumImages.HOPR", "T:AD:HDF1:FileName.DESC"]
        said = tool(port, "caget", "-t", "-w", "20", *wanted).stdout.splitlines()
    assert said == ["INITIALIZED", "2147483647", "File name"]


@pytest.mark.parametrize("program", ["ioc", "pvs"])
def test_the_command_line_passes_on_to_them(program: str) -> None:
    command = [sys.executable, "-m", "repstream_cli.main", program]
    said = subprocess.run([*command, "--help"], capture_output=True, text=True, timeout=60, check=True).stdout
    assert "--prefix" in said and f"repstream_cli.main {program}" in said
    given = [*command, "tcp://127.0.0.1:1", "--prefix", "no blanks:"]
    if program == "ioc":
        given.append("--list-pvs")
    wrong = subprocess.run(given, capture_output=True, text=True, timeout=60, check=False)
    assert wrong.returncode == 2 and "without blank and dot" in wrong.stderr
