from __future__ import annotations

import pytest

from repstream.protocol import Requester
from tests.ioc.conftest import PREFIX, Bench

WRITE_ALARM, MAJOR, UNDEFINED, INVALID = 2, 2, 17, 3


def test_a_write_shows_on_setpoint_and_readback_at_the_answer(shared_bench: Bench) -> None:
    for value in (3, 4, 5):
        seen = shared_bench.ca.do(
            "cached_after_put",
            f"{PREFIX}Strm1:EveryNth",
            value,
            [f"{PREFIX}Strm1:EveryNth_RBV", f"{PREFIX}Strm1:EveryNth"],
        )
        assert seen == [str(value), str(value)]


def test_a_refused_put_leaves_the_readback_and_says_why(shared_bench: Bench) -> None:
    shared_bench.put("Strm1:EveryNth", 6)
    shared_bench.put("Strm1:EveryNth", 0)
    assert shared_bench.get("Strm1:EveryNth_RBV") == 6
    assert shared_bench.get("Strm1:EveryNth") == 6
    assert shared_bench.alarm("Strm1:EveryNth") == (WRITE_ALARM, MAJOR)
    assert shared_bench.get("CmdStatus_RBV") == "REJECTED"
    assert shared_bench.get("CmdName_RBV") == "Strm1:EveryNth"
    assert "must be a whole number from 1" in shared_bench.get("CmdMsg_RBV")


def test_a_good_put_clears_the_alarm_of_a_refused_one_even_with_the_same_value(shared_bench: Bench) -> None:
    shared_bench.put("Strm1:EveryNth", 6)
    shared_bench.put("Strm1:EveryNth", 0)
    shared_bench.put("Strm1:EveryNth", 6)
    assert shared_bench.alarm("Strm1:EveryNth") == (0, 0)
    assert shared_bench.get("CmdStatus_RBV") == "OK"


def test_a_writers_refusal_shows_at_the_writer_too(shared_bench: Bench) -> None:
    shared_bench.put("Wr1:Folder", "relative/folder")
    assert shared_bench.get("Wr1:WriteStatus_RBV") == "ERROR"
    assert "absolute path" in shared_bench.get("Wr1:WriteMsg_RBV")
    assert shared_bench.get("Wr2:WriteStatus_RBV") == "OK"
    shared_bench.put("Wr1:FileName", "scan")
    assert shared_bench.get("Wr1:WriteStatus_RBV") == "OK"
    assert not shared_bench.get("Wr1:WriteMsg_RBV")


def test_what_is_in_an_empty_slot_is_invalid_and_refuses_writes(shared_bench: Bench) -> None:
    assert shared_bench.alarm("Strm7:EveryNth_RBV") == (UNDEFINED, INVALID)
    shared_bench.put("Strm7:EveryNth", 2)
    assert shared_bench.get("CmdStatus_RBV") == "REJECTED"
    assert shared_bench.alarm("Strm7:EveryNth_RBV") == (UNDEFINED, INVALID)


@pytest.mark.parametrize("text", ["", "x", "scan 1", "y" * 255, ""])
def test_text_of_any_length_is_taken(shared_bench: Bench, text: str) -> None:
    shared_bench.put("Wr1:RunId", text)
    assert shared_bench.get("Wr1:RunId_RBV") == text
    assert shared_bench.service.read("writers.1.run_id").value == text


def test_text_that_is_not_ascii_is_refused(shared_bench: Bench) -> None:
    shared_bench.put("Wr1:RunId", "before")
    assert "request failed" in shared_bench.tool("caput", "-c", "-S", "@Wr1:RunId", "µm")
    assert shared_bench.get("Wr1:RunId_RBV") == "before"
    assert "must be ASCII" in shared_bench.get("CmdMsg_RBV")


def test_text_that_is_not_ascii_from_elsewhere_is_shown_escaped(shared_bench: Bench) -> None:
    shared_bench.service.write({"writers.1.run_id": "5 µm"}, Requester("test"))
    shared_bench.put("Wr1:FileName", "scan")  # answered when all before it is published
    assert shared_bench.get("Wr1:RunId_RBV") == r"5 \xb5m"


def test_caput_and_caget_work_with_long_strings(shared_bench: Bench) -> None:
    for text in ("/a/path/that/is/longer/than/forty/characters/of/a/string", "short", ""):
        assert "ERROR" not in shared_bench.tool("caput", "-c", "-S", "@Wr1:RunId", text)
        assert shared_bench.tool("caget", "-t", "-S", "@Wr1:RunId_RBV").strip() == text


def test_caput_without_waiting_reads_the_new_value_back(shared_bench: Bench) -> None:
    for value in ("11", "12", "13"):
        said = shared_bench.tool("caput", "-t", "@Strm1:EveryNth", value)
        assert said.strip() == value


def test_caput_takes_choices_by_name_and_by_number(shared_bench: Bench) -> None:
    shared_bench.tool("caput", "-c", "@Strm1:Policy", "send_every_nth_frame")
    assert shared_bench.get("Strm1:Policy_RBV") == "send_every_nth_frame"
    shared_bench.tool("caput", "-c", "-n", "@Strm1:Policy", "4")
    assert shared_bench.get("Strm1:Policy_RBV") == "forward"


def test_caput_sees_a_refusal(shared_bench: Bench) -> None:
    assert "request failed" in shared_bench.tool("caput", "-c", "@Strm1:EveryNth", "0")


def test_what_is_read_only_denies_access(shared_bench: Bench) -> None:
    assert "Write access denied" in shared_bench.tool("caput", "@Uptime_RBV", "3")
    assert "Write access denied" in shared_bench.tool("caput", "@State_RBV.DESC", "changed")


def test_puts_are_taken_in_the_order_they_were_sent(bench: Bench) -> None:
    row = [(f"{PREFIX}Strm1:EveryNth", n) for n in range(1, 41)]
    row += [(f"{PREFIX}Wr1:FileNumber", 5), (f"{PREFIX}Wr1:NumImages", 0), (f"{PREFIX}Wr1:Arm", 1)]
    bench.ca.do("put_row", row)  # once armed, the file's number could not be changed any more
    assert bench.get("Strm1:EveryNth_RBV") == 40
    assert bench.get("Wr1:FullFileName_RBV").endswith("_000005.h5")


def test_the_engine_learns_who_wrote(bench: Bench) -> None:
    bench.put("Start", 1)
    assert bench.get("LastCommandBy_RBV").startswith("epics ")


def test_a_change_from_elsewhere_is_seen(bench: Bench) -> None:
    with bench.ca.watch(f"{PREFIX}Strm1:EveryNth_RBV") as updates:
        assert updates.get(timeout=10)["value"] == 1
        bench.service.write({"streams.1.every_nth": 9}, Requester("test"))
        assert updates.get(timeout=10)["value"] == 9
