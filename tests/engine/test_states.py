"""The transition tables."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from repstream import states
from repstream.errors import Refused
from repstream.states import (
    ACQUISITION,
    REPEATER,
    WRITER,
    AcquisitionResult,
    AcquisitionState,
    RepeaterState,
    StartResult,
    WriterState,
    after,
    allowed,
    is_fault,
    is_whole,
    result_of_start,
)


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


def test_what_is_allowed_leads_to_the_state_of_the_table() -> None:
    assert after(REPEATER, RepeaterState.RUNNING, "stop", "engine.stop") is RepeaterState.STOPPED
    assert after(WRITER, WriterState.WRITING, "closed", "writer") is WriterState.READY


@pytest.mark.parametrize("table", [REPEATER, WRITER, ACQUISITION])
def test_every_state_can_be_reached_and_left(table: dict[str, dict[str, str]]) -> None:
    states = set(table)
    reached = {following for ways in table.values() for following in ways.values()}
    assert reached | {next(iter(table))} == states
    assert all(set(ways.values()) - {state} for state, ways in table.items())


def test_an_error_is_left_only_by_asking_for_it() -> None:
    leaving = {c for c, s in REPEATER[RepeaterState.ERROR].items() if s is not RepeaterState.ERROR}
    assert leaving == {"initialize", "configure", "load_config", "reset"}


def test_a_refusal_ends_with_what_leads_out_of_the_state() -> None:
    with pytest.raises(Refused, match=r"only in INITIALIZED, STOPPED; reset it$"):
        after(REPEATER, RepeaterState.ERROR, "start", "engine.start", "reset it")


QUESTIONS = {
    "is_initialized": {"INITIALIZED"},
    "is_open": {"RUNNING"},
    "is_stopped": {"STOPPED"},
    "is_in_error": {"ERROR"},
    "is_unknown": {"UNKNOWN"},
    "is_ready": {"READY"},
    "is_writing": {"WRITING"},
    "has_no_file": {"NONE"},
    "has_no_image": {"WAITING_IMAGES"},
    "has_images": {"ACQUIRING_IMAGES"},
    "takes_images": {"WAITING_IMAGES", "ACQUIRING_IMAGES"},
    "is_flushing": {"FLUSHING_IMAGES"},
    "has_failed": {"FAILED"},
    "is_fault": {"failed"},
    "is_aborted": {"aborted"},
    "is_complete": {"completed"},
    "is_good": {"completed", "interrupted"},
}
"""What a state may be asked, and of which the answer is yes."""


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_question_is_answered_for_states_and_for_their_text(question: str) -> None:
    ask, those = getattr(states, question), QUESTIONS[question]
    known = [*RepeaterState, *WriterState, *AcquisitionState, *AcquisitionResult]
    assert {state.value for state in known if ask(state)} == those
    assert {text for text in {state.value for state in known} if ask(text)} == those
    assert not ask(None)


ROOMS = ("engine", "device_servers", "ioc", "rest", "cli")


KINDS = {kind.__name__ for kind in (RepeaterState, WriterState, AcquisitionState, AcquisitionResult)}


def _compared(tree: ast.AST) -> Iterator[ast.Attribute]:
    """The states and results that something is compared with."""
    for comparison in (node for node in ast.walk(tree) if isinstance(node, ast.Compare)):
        sides = [comparison.left, *comparison.comparators]
        several = [each for side in sides for each in getattr(side, "elts", ())]
        for side in (*sides, *several):
            match side:
                case ast.Attribute(value=ast.Name(id=kind)) if kind in KINDS:
                    yield side


def test_what_a_state_means_is_asked_of_its_module() -> None:
    root = Path(__file__).parents[2]
    found = {
        f"{path.relative_to(root)}:{side.lineno}: {ast.unparse(side)}"
        for room in ROOMS
        for path in (root / room).rglob("*.py")
        if path != Path(states.__file__)
        for side in _compared(ast.parse(path.read_text()))
    }
    assert not found


@pytest.mark.parametrize(
    ("result", "written", "requested", "whole"),
    [
        (AcquisitionResult.COMPLETED, 3, 10, True),  # the engine says so, whatever was asked for
        (AcquisitionResult.INTERRUPTED, 9, 10, False),
        (AcquisitionResult.INTERRUPTED, 10, 10, True),
        (AcquisitionResult.INTERRUPTED, 11, 10, True),
        (AcquisitionResult.INTERRUPTED, 0, 1, False),
        (AcquisitionResult.INTERRUPTED, 5, 0, True),
        (AcquisitionResult.FAILED, 10, 10, False),
        (AcquisitionResult.ABORTED, 10, 0, False),
    ],
)
def test_an_acquisition_is_whole_with_all_that_was_asked_for(
    result: AcquisitionResult, written: int, requested: int, whole: bool
) -> None:
    assert is_whole(result, written, requested) is whole
    expected = StartResult.COMPLETED if whole else StartResult(result.value)
    assert result_of_start(result, written, requested) is expected


def test_only_a_failure_is_a_fault() -> None:
    assert [result for result in AcquisitionResult if is_fault(result)] == [AcquisitionResult.FAILED]
