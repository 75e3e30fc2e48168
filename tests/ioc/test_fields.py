"""Record fields, and who may write: through the tools of EPICS base."""

from __future__ import annotations

import getpass
import json
import re
from pathlib import Path

import pytest

from repstream.parameters.facts import Kind
from repstream.protocol import Requester
from repstream_epics import names
from repstream_epics.access import WriteAccess
from repstream_epics.server import IocServer
from tests.fakes import running_service
from tests.ioc.clients import tool
from tests.ioc.conftest import PREFIX, Bench, running_bench


def fields(bench: Bench, pv: str, *wanted: str) -> list[str]:
    """What caget says of fields, in order."""
    return bench.tool("caget", "-t", *(f"@{pv}.{field}" for field in wanted)).splitlines()


FIELDS = {
    "Wr1:QueueUse_RBV": "DESC=Queue usage EGU=% PREC=3 LOPR=0 HOPR=100 HIHI=90 HHSV=MAJOR HIGH=70 HSV=MINOR "
    "LSV=NO_ALARM LLSV=NO_ALARM",
    "Src:Rate_RBV": "HHSV=NO_ALARM HSV=NO_ALARM LSV=NO_ALARM LLSV=NO_ALARM",
    "Wr1:NumImages": "RTYP=longout DRVL=0 DRVH=2147483647 ASG=DEFAULT DISP=0",
    "State_RBV": "ZRSV=NO_ALARM ONSV=NO_ALARM TWSV=MAJOR THSV=NO_ALARM FRSV=INVALID ASG=READONLY",
    "Wr1:Folder": "NELM=513 FTVL=CHAR RTYP=waveform UDF=0",
    "Strm7:EveryNth_RBV": "UDF=1 SEVR=INVALID STAT=UDF AMSG=no value now",
}


@pytest.mark.parametrize("pv", FIELDS)
def test_a_field_is_what_it_is_in_a_record(shared_bench: Bench, pv: str) -> None:
    wanted = [part.split("=") for part in re.split(r" (?=[A-Z]{3,4}=)", FIELDS[pv])]
    assert fields(shared_bench, pv, *(name for name, _ in wanted)) == [value for _, value in wanted]


def test_the_severity_of_each_state_is_that_of_its_declaration(shared_bench: Bench) -> None:
    for parameter in shared_bench.service.catalogue.parameters.values():
        if parameter.kind is Kind.CHOICE and parameter.slot <= 1 and not parameter.writable:
            channel = shared_bench.ioc.channels[PREFIX + names.readback(parameter)]
            states = ["ZR", "ON", "TW", "TH", "FR", "FV", "SX", "SV", "EI", "NI"]
            for state, choice in zip(states, parameter.choices, strict=False):
                severity = ("NO_ALARM", "MINOR", "MAJOR", "INVALID")[parameter.severity(choice)]
                assert channel.get_field(f"{state}SV").value == severity, (parameter.key, choice)


def test_fields_follow_the_value(shared_bench: Bench) -> None:
    shared_bench.put("Wr1:RunId", "seven")
    assert fields(shared_bench, "Wr1:RunId", "NORD", "UDF", "SEVR") == ["5", "0", "NO_ALARM"]
    shared_bench.put("Wr1:RunId", "longer than seven")
    assert fields(shared_bench, "Wr1:RunId", "NORD") == ["17"]
    assert fields(shared_bench, "Strm1:EveryNth", "AMSG") == [""]
    shared_bench.put("Strm1:EveryNth", 0)
    assert fields(shared_bench, "Strm1:EveryNth", "SEVR", "STAT", "AMSG") == [
        "MAJOR",
        "WRITE",
        "the last put was refused",
    ]
    shared_bench.put("Strm1:EveryNth", 1)


def test_long_strings_are_read_and_written_by_old_ways(shared_bench: Bench) -> None:
    long = "/a/path/that/is/longer/than/forty/characters/of/a/string"
    shared_bench.tool("caput", "-c", "-S", "@Wr1:RunId.VAL$", long)
    assert shared_bench.get("Wr1:RunId_RBV") == long
    assert shared_bench.tool("caget", "-t", "-S", "@Wr1:RunId_RBV.VAL$").strip() == long
    assert shared_bench.tool("caget", "-t", "-S", "@Wr1:RunId_RBV.DESC$").strip() == "Run id"
    characters = shared_bench.tool("caget", "-t", "-#", "6", "@Wr1:RunId_RBV").split()
    assert bytes(map(int, characters[1:])) == long[:6].encode()
    shared_bench.tool("caput", "-c", "-a", "@Wr1:RunId", "3", "97", "98", "99")
    assert shared_bench.get("Wr1:RunId_RBV") == "abc"


def test_a_disabled_record_refuses_puts_until_it_is_enabled(
    shared_bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    shared_bench.put("Strm1:EveryNth", 3)
    shared_bench.tool("caput", "-c", "@Strm1:EveryNth.DISP", "1")
    assert fields(shared_bench, "Strm1:EveryNth", "DISP") == ["1"]
    assert "ERROR" in shared_bench.tool("caput", "-c", "@Strm1:EveryNth", "4")
    assert shared_bench.get("Strm1:EveryNth_RBV") == 3
    (line,) = [r.getMessage() for r in caplog.records if ".DISP" in r.getMessage()]
    refused = (
        f"Strm1:EveryNth: put of {getpass.getuser()} at 127.0.0.1 refused: .DISP is 1; put 0 there first"
    )
    assert line.endswith(refused) and shared_bench.get("CmdMsg_RBV").endswith(refused)
    assert shared_bench.get("CmdStatus_RBV") == "REJECTED"
    shared_bench.service.write({"streams.1.every_nth": 5}, Requester("test"))  # it binds EPICS only
    shared_bench.tool("caput", "-c", "@Strm1:EveryNth.DISP", "0")
    shared_bench.put("Strm1:EveryNth", 4)
    assert shared_bench.get("Strm1:EveryNth_RBV") == 4


@pytest.mark.parametrize(
    ("access", "allowed"),
    [
        (WriteAccess.of([getpass.getuser()], ["localhost"]), True),
        (WriteAccess.of(["operator"]), False),
        (WriteAccess.of(hosts=["127.0.0.9"]), False),
    ],
)
def test_only_users_and_hosts_on_the_list_may_write(
    tmp_path: Path, access: WriteAccess, allowed: bool
) -> None:
    with (
        running_service(tmp_path) as (service, _),
        IocServer({"test": service}, PREFIX, port=0, access=access) as ioc,
    ):
        wrote = tool(ioc.port, "caput", "-c", f"{PREFIX}Strm1:EveryNth", "7")
        shut = tool(ioc.port, "caput", "-c", f"{PREFIX}Strm1:EveryNth.DISP", "1")
        assert service.read("streams.1.every_nth").value == (7 if allowed else 1)
        assert [("ERROR" in s or "failed" in s) for s in (str(wrote), str(shut))] == [not allowed] * 2
        assert "INITIALIZED" in tool(ioc.port, "caget", "-w", "20", f"{PREFIX}State_RBV").stdout
        if access.addresses and not allowed:  # a user who may not is held back by the client's own library
            said = tool(ioc.port, "caget", "-w", "20", "-S", f"{PREFIX}CmdMsg_RBV").stdout
            assert f"{PREFIX}Strm1:EveryNth: " in said and "may not write: only" in said


def test_a_host_that_nobody_knows_cannot_be_allowed() -> None:
    with pytest.raises(ValueError, match=r"nowhere\.invalid is no host"):
        WriteAccess.of(hosts=["nowhere.invalid"])


def test_alarm_levels_are_set_by_operators_and_kept_by_the_engine(tmp_path: Path) -> None:
    with running_bench(tmp_path) as bench:
        full, low = "Wr1:NumWritten_RBV", ("HIHI", "HHSV", "LOLO")
        assert fields(bench, full, *low) == ["nan", "NO_ALARM", "nan"]
        assert "ERROR" not in bench.tool("caput", "-c", f"@{full}.HIHI", "3")
        assert fields(bench, full, *low) == ["3", "MAJOR", "nan"]
        assert "Hi alarm limit:   3" in bench.tool("caget", "-d", "DBR_CTRL_DOUBLE", f"@{full}")
        bench.put("Wr1:NumImages", 4)
        bench.plane.open_gate_gives(4)
        bench.put("Wr1:Start", 1)
        assert fields(bench, full, "SEVR", "STAT") == ["MAJOR", "HIHI"]
        bench.tool("caput", "-c", f"@{full}.HIHI", "5")
        assert fields(bench, full, "SEVR") == ["NO_ALARM"], "at once, without a new value"
        assert "failed" in bench.tool("caput", "-c", f"@{full}.LOW", "6"), "above HIHI"
        assert json.loads(str(bench.service.read("facade.epics_alarms").value)) == {
            "writers.1.num_written": {"HIHI": 5.0}
        }
        with IocServer({"again": bench.service}, PREFIX, port=0) as ioc:
            assert tool(ioc.port, "caget", "-t", f"{PREFIX}{full}.HIHI").stdout.strip() == "5"
        bench.tool("caput", "-c", f"@{full}.HIHI", "nan")
        assert fields(bench, full, *low) == ["nan", "NO_ALARM", "nan"]
        assert "denied" in bench.tool("caput", "-c", "@Wr1:NumImages.HIHI", "3")
