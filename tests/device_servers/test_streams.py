"""A device of one stream: its attributes under their own names, with a State of its own."""

from __future__ import annotations

import json

import pytest
import tango
from tango import DevState

from tests.device_servers.conftest import Bench
from tests.device_servers.serving import free_port, stream, until
from tests.device_servers.watching import watching


@pytest.fixture
def live(bench: Bench) -> tango.DeviceProxy:
    return tango.DeviceProxy(bench.trl(stream(1)))


def test_a_stream_is_set_where_it_is_alone_and_everybody_reads_it(
    bench: Bench, live: tango.DeviceProxy
) -> None:
    with watching(bench.repeater, "Stream1EveryNth") as seen:
        live.EveryNth = 12
        assert (live.EveryNth, bench.repeater.Stream1EveryNth) == (12, 12)
        seen.next_value(12)
    with watching(live, "EveryNth") as seen:
        bench.elsewhere(streams__live__every_nth=13)
        assert seen.next_value(13).w_value == 13
    assert live.get_attribute_config("EveryNth").label == "Every nth frame"
    assert live.Name == "live"


def test_a_refusal_names_the_device_that_was_asked(bench: Bench, live: tango.DeviceProxy) -> None:
    bench.repeater.Start()
    with pytest.raises(tango.DevFailed) as refused:
        live.Address = "tcp://127.0.0.1:1"
    assert refused.value.args[0].origin == f"{stream(1)}/Address"
    assert "RUNNING" in refused.value.args[0].desc


def test_state_is_that_of_the_repeater_while_the_stream_takes_frames(
    bench: Bench, live: tango.DeviceProxy
) -> None:
    with watching(live, "State") as seen:
        assert seen.next_value(DevState.STANDBY)
        bench.repeater.Start()
        assert live.State() == DevState.RUNNING
        seen.next_value(DevState.RUNNING)
        bench.repeater.Stop()
        seen.next_value(DevState.OFF)
        bench.elsewhere(streams__live__enable=False)
        seen.next_value(DevState.DISABLE)
        assert live.Status() == "Stream live is disabled: it takes no frames."
        bench.elsewhere(streams__live__enable=True)
        seen.next_value(DevState.OFF)


def test_an_empty_slot_is_unknown_until_there_is_a_stream(bench: Bench) -> None:
    third = tango.DeviceProxy(bench.trl(stream(3)))
    assert (third.State(), third.Status()) == (
        DevState.UNKNOWN,
        "There is no stream in slot 3 of this engine.",
    )
    with watching(third, "State") as seen:
        new = {"address": f"tcp://127.0.0.1:{free_port()}"}
        bench.repeater.Configure(json.dumps({"streams": {"third": new}}))
        seen.next_value(DevState.STANDBY)
        assert (third.Name, third.Address) == ("third", new["address"])
        bench.repeater.Configure(json.dumps({"streams": {"third": None}}))
        seen.next_value(DevState.UNKNOWN)
        until(lambda: third.read_attribute("Address").quality == tango.AttrQuality.ATTR_INVALID, "its end")
