"""What clients may do wrong: values of any type, length and range, and dying in the middle of a put."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from queue import Queue
from typing import Any

import hypothesis.strategies as st
import pytest
from caproto import CAStatus, ChannelType
from caproto.threading.client import Context
from hypothesis import given, settings

from repstream.parameters.catalogue import Parameter
from repstream_epics import names, types
from tests.anything import CHEAP, changed, held, owners, settable
from tests.integration.rig import until
from tests.ioc.clients import environment, running_tool
from tests.ioc.conftest import PREFIX, Bench, running_bench

ANSWER = 30.0
NORMAL = CAStatus.ECA_NORMAL.value.code

NUMBERS = st.one_of(st.integers(-(2**31), 2**31 - 1), st.sampled_from([0, 1, -1, 2**31 - 1]))
FLOATS = st.floats(width=64)
WRITES = st.one_of(
    st.tuples(st.just(ChannelType.STRING), st.lists(st.binary(max_size=39), min_size=1, max_size=3)),
    st.tuples(st.just(ChannelType.CHAR), st.lists(st.integers(0, 255), min_size=1, max_size=600)),
    st.tuples(st.just(ChannelType.INT), st.lists(st.integers(-(2**15), 2**15 - 1), min_size=1, max_size=3)),
    st.tuples(st.just(ChannelType.ENUM), st.lists(st.integers(0, 2**16 - 1), min_size=1, max_size=2)),
    st.tuples(st.just(ChannelType.LONG), st.lists(NUMBERS, min_size=1, max_size=3)),
    st.tuples(st.just(ChannelType.DOUBLE), st.lists(FLOATS, min_size=1, max_size=3)),
    st.tuples(st.just(ChannelType.FLOAT), st.lists(st.floats(width=32), min_size=1, max_size=2)),
)


@pytest.fixture(scope="module")
def client(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Bench, dict[str, Any], list[Parameter]]]:
    """An IOC, all PVs that set parameters of something that is there, and those parameters."""
    with running_bench(tmp_path_factory.mktemp("robust")) as bench, pytest.MonkeyPatch.context() as patch:
        for name, value in environment(bench.ioc.port).items():
            if name.startswith("EPICS_"):
                patch.setenv(name, value)
        parameters = list(settable(bench.service).values())
        context = Context()
        pvs = context.get_pvs(*(PREFIX + names.setpoint(p) for p in parameters), timeout=ANSWER)
        for pv in pvs:
            pv.wait_for_connection(timeout=ANSWER)
        yield bench, {p.key: pv for p, pv in zip(parameters, pvs, strict=True)}, parameters
        context.disconnect()


def _write(pv: Any, what: tuple[ChannelType, list[Any]], answers: Queue[int]) -> None:
    data_type, data = what
    pv.write(
        data, wait=False, notify=True, data_type=data_type, callback=lambda got: answers.put(got.status.code)
    )


@settings(CHEAP, max_examples=10)
@given(data=st.data())
def test_a_thousand_writes_of_anything_leave_a_whole_configuration(
    client: tuple[Bench, dict[str, Any], list[Parameter]], data: st.DataObject
) -> None:
    bench, pvs, parameters = client
    answers: Queue[int] = Queue()
    chosen = data.draw(st.lists(st.tuples(st.sampled_from(sorted(pvs)), WRITES), min_size=100, max_size=100))
    for key, what in chosen:
        _write(pvs[key], what, answers)
    for _ in chosen:
        answers.get(timeout=ANSWER)  # exactly one for each
    assert answers.empty()
    bench.tool("caput", "-c", "@Wr2:NumImages", "1")  # answered when all before it is published
    values = bench.service.snapshot().values
    for parameter in parameters:
        shown = bench.ioc.channels[PREFIX + names.readback(parameter)].value
        value = types.to_pv(parameter, values[parameter.key])
        assert shown == value or shown == pytest.approx(value), parameter.key
    assert bench.get("State_RBV") == "INITIALIZED"


@settings(CHEAP, max_examples=60)
@given(data=st.data())
def test_a_write_is_refused_or_applied_never_half(
    client: tuple[Bench, dict[str, Any], list[Parameter]], data: st.DataObject
) -> None:
    bench, pvs, parameters = client
    of = {p.key: p for p in parameters}
    key = data.draw(st.sampled_from(sorted(pvs)))
    before = held(bench.service, of)
    answers: Queue[int] = Queue()
    _write(pvs[key], data.draw(WRITES), answers)
    taken = answers.get(timeout=ANSWER) == NORMAL
    found = changed(before, held(bench.service, of))
    assert owners(found) <= (owners({key}) if taken else set())


def test_fifty_completions_in_a_row_show_the_end_at_once(bench: Bench) -> None:
    bench.put("Wr1:NumImages", 2)
    watched = ["AcqState_RBV", "State_RBV", "NumWritten_RBV", "StartResult_RBV", "Start"]
    names_ = [f"{PREFIX}Wr1:{name}" for name in watched]
    for n in range(50):
        bench.plane.open_gate_gives(2)
        seen = bench.ca.do("cached_after_put", f"{PREFIX}Wr1:Start", 1, names_)
        assert seen == ["FINISHED", "READY", "2", "completed", "Off"], n
        assert bench.service.read("writers.1.start_count").value == n + 1


def test_a_client_that_is_killed_in_the_middle_of_a_put_leaves_the_acquisition_to_others(
    bench: Bench,
) -> None:
    bench.put("Wr1:NumImages", 3)
    put = ("caput", "-c", "-w", "60", f"{PREFIX}Wr1:Start", "1")
    with running_tool(environment(bench.ioc.port), *put):
        until(lambda: bench.get("Wr1:Gate_RBV") == "open", "the start")
    bench.plane.receive(3)
    until(lambda: bench.get("Wr1:StartResult_RBV") == "completed", "the end")
    assert bench.get("Wr1:Start") == "Off"
    bench.plane.open_gate_gives(3)
    bench.put("Wr1:Start", 1)
    assert bench.get("CmdStatus_RBV") == "OK"


def test_tools_of_base_wait_monitor_and_say_everything(bench: Bench) -> None:
    bench.put("Wr1:NumImages", 1)
    bench.plane.open_gate_gives(1)
    assert "ERROR" not in bench.tool("caput", "-c", "-w", "30", "@Wr1:Start", "1")
    assert bench.tool("caget", "-t", "@Wr1:StartResult_RBV").strip() == "completed"
    told = bench.tool("caget", "-d", "DBR_CTRL_LONG", "@Wr1:NumImages")
    assert "Hi ctrl limit:    2147483647" in told and "Units:            images" in told
    watch = ("camonitor", "-t", "n", f"{PREFIX}Wr1:NumImages_RBV")
    with running_tool(environment(bench.ioc.port), *watch, stdout=subprocess.PIPE) as monitor:
        assert monitor.stdout is not None
        assert monitor.stdout.readline().split()[-1] == "1"
        bench.put("Wr1:NumImages", 5)
        assert monitor.stdout.readline().split()[-1] == "5"
