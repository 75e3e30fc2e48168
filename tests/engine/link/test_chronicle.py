"""The lines of an engine: kept, chosen by words, and left to the engine's own log where that has them."""

from __future__ import annotations

import pytest

from repstream.link.chronicle import MOST, MOST_ASKED, Chronicle
from repstream.parameters.catalogue import build
from repstream.parameters.facts import Value
from repstream.protocol import Change, Completion

CATALOGUE = build()
KNOWN: dict[str, Value] = {
    "engine.state": "RUNNING",
    "source.missing": 0,
    "writers.1.name": "main",
    "writers.1.acquisition_id": "17-1",
    "writers.1.dropped": 0,
}


@pytest.fixture
def chronicle() -> Chronicle:
    made = Chronicle(lambda: CATALOGUE)
    made.begin(KNOWN)
    return made


def change(time: float, **values: Value) -> Change:
    return Change("", 0, time, {key.replace("__", "."): value for key, value in values.items()})


def test_a_loss_is_a_line_with_its_acquisition(chronicle: Chronicle) -> None:
    (line,) = chronicle.take(change(5.0, writers__1__dropped=2))
    assert (line.time, line.level, line.subject, line.acquisition_id) == (
        5.0,
        "warning",
        "writers.main",
        "17-1",
    )
    assert " warning writers.main [17-1]: 2 frames dropped" in str(line)


def test_losses_are_a_line_a_second_and_none_is_left_out(chronicle: Chronicle) -> None:
    said = [
        line.text
        for n in range(25)
        for line in chronicle.take(change(5.0 + n / 10, source__missing=n + 1, engine__heartbeat=n))
    ]
    assert said == [f"{n} frame{'s' * (n > 1)} missing since the start" for n in (1, 11, 21)]
    assert [line.text for line in chronicle.take(change(8.0, engine__heartbeat=99))] == [
        "25 frames missing since the start"
    ]
    assert chronicle.take(change(9.5, engine__heartbeat=100)) == []


def test_losses_that_wait_are_said_before_the_acquisition_ends(chronicle: Chronicle) -> None:
    chronicle.take(change(5.0, writers__1__dropped=2))
    assert chronicle.take(change(5.1, writers__1__dropped=7)) == []
    end = {"writers__1__acq_state": "FINISHED", "writers__1__acq_message": "Completed."}
    lines = chronicle.take(change(5.2, **end))
    assert [line.text for line in lines] == ["7 frames dropped", "FINISHED Completed."]
    assert {line.acquisition_id for line in lines} == {"17-1"}


def test_a_clock_that_is_set_back_holds_no_loss_up(chronicle: Chronicle) -> None:
    chronicle.take(change(5000.0, source__missing=1))
    assert [line.text for line in chronicle.take(change(1400.0, source__missing=2))] == [
        "2 frames missing since the start"
    ]


def test_malformed_messages_have_their_reasons_and_stand_in_the_engines_own_log(chronicle: Chronicle) -> None:
    chronicle.begin({"source.malformed": 0})
    values: dict[str, Value] = {"source__malformed": 1, "source__malformed_reasons": "json 1"}
    (line,) = chronicle.take(change(5.0, **values))
    assert (line.text, line.logged) == ("1 message malformed since the start: json 1", True)


def test_what_the_engine_logs_itself_is_marked(chronicle: Chronicle) -> None:
    lines = chronicle.take(change(5.0, engine__state="ERROR", engine__last_error="disk full"))
    assert [(line.text, line.logged) for line in lines] == [("RUNNING → ERROR", False), ("disk full", True)]


def test_the_end_of_a_command_is_no_line(chronicle: Chronicle) -> None:
    assert chronicle.take(Completion("", 1, 5.0, "h", "engine.start", True, "")) == []


@pytest.mark.parametrize(
    ("words", "subjects"),
    [
        ("", ["source", "writers.main", "engine"]),
        ("level=warning", ["source", "writers.main"]),
        ("level=error", []),
        ("subject=writers", ["writers.main"]),
        ("subject=writers.main last=5", ["writers.main"]),
        ("acquisition=17-1", ["writers.main"]),
        ("acquisition=17-2", []),
        ("last=1", ["engine"]),
        ("text=FRAMES missing", ["source"]),
        ("level=warning text=3 frames", ["source"]),
        ("text=level=warning", []),
    ],
)
def test_lines_are_chosen_by_words(chronicle: Chronicle, words: str, subjects: list[str]) -> None:
    chronicle.take(change(1.0, source__missing=3))
    chronicle.take(change(2.0, writers__1__dropped=2))
    chronicle.take(change(3.0, engine__state="STOPPED"))
    assert [entry.subject for entry in chronicle.chosen(words)] == subjects


@pytest.mark.parametrize("words", ["loud", "level=loud", "last=0", "last=all", "level"])
def test_words_that_mean_nothing_are_refused(chronicle: Chronicle, words: str) -> None:
    with pytest.raises(ValueError, match=r"must be|is none of"):
        chronicle.chosen(words)


def test_the_oldest_lines_go(chronicle: Chronicle) -> None:
    for number in range(1, MOST + 2):
        chronicle.take(change(float(number), source__missing=number))
    assert len(chronicle.entries()) == MOST
    assert chronicle.entries()[0].time == 2.0
    assert len(chronicle.chosen("")) == MOST_ASKED
