"""The transition tables."""

from __future__ import annotations

import pytest

from repstream.errors import Refused
from repstream.states import ACQUISITION, REPEATER, WRITER, RepeaterState, WriterState, after, allowed


@pytest.mark.parametrize("state", [s for s in RepeaterState if s is not RepeaterState.UNKNOWN])
def test_stop_is_allowed_in_every_state(state: RepeaterState) -> None:
    assert "stop" in allowed(REPEATER, state)


@pytest.mark.parametrize("state", WriterState)
def test_a_writer_may_be_stopped_in_every_state(state: WriterState) -> None:
    assert "stop" in allowed(WRITER, state)


def test_a_refusal_names_the_states_that_allow_it() -> None:
    with pytest.raises(Refused) as caught:
        after(REPEATER, RepeaterState.ERROR, "start", "engine.start")
    assert str(caught.value) == "engine.start refused: not possible in ERROR, only in INITIALIZED, STOPPED"
    assert caught.value.allowed == ("INITIALIZED", "STOPPED")


@pytest.mark.parametrize("table", [REPEATER, WRITER, ACQUISITION])
def test_every_state_can_be_reached_and_left(table: dict[str, dict[str, str]]) -> None:
    states = set(table)
    reached = {following for ways in table.values() for following in ways.values()}
    assert reached | {next(iter(table))} == states
    assert all(set(ways.values()) - {state} for state, ways in table.items())


def test_an_error_is_left_only_by_asking_for_it() -> None:
    leaving = {c for c, s in REPEATER[RepeaterState.ERROR].items() if s is not RepeaterState.ERROR}
    assert leaving == {"initialize", "configure", "load_config", "reset"}
