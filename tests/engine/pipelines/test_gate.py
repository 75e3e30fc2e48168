"""Which messages a pipeline takes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repstream.pipelines.gate import Gate, Verdict
from repstream.pipelines.pipeline import pipeline_settings

TAKE, SKIP, END = Verdict.TAKE, Verdict.SKIP, Verdict.END


def gate(**settings):
    return Gate(pipeline_settings({"camera_name": "c", **settings}))


def verdicts(gate, ids, *, interval=0.1):
    return [gate.decide(number, (number, 0), n * interval) for n, number in enumerate(ids)]


@pytest.mark.parametrize(
    ("settings", "taken"),
    [
        ({}, [0, 1, 2, 3, 4, 5]),
        ({"pause": True}, []),
        ({"paused": True}, []),
        ({"downsampling": 2}, [0, 3]),
        ({"downsampling": 0}, [0, 1, 2, 3, 4, 5]),
        ({"max_frame_rate": 5}, [0, 2, 4]),
        ({"max_frame_rate": 100}, [0, 1, 2, 3, 4, 5]),
        ({"pid_range": [0, 3]}, []),
        ({"pid_range": [2, 0]}, [2, 3, 4, 5]),
        ({"pipeline_type": "store", "modulo": 3}, [0, 3]),
        ({"modulo": 3}, [0, 1, 2, 3, 4, 5]),
    ],
)
def test_what_is_taken(settings, taken):
    decided = verdicts(gate(**settings), range(6))
    assert [number for number, verdict in enumerate(decided) if verdict is TAKE] == taken
    assert END not in decided


def test_a_range_ends_behind_its_stop():
    assert verdicts(gate(pid_range=[3, 4]), [1, 3, 4, 5]) == [SKIP, TAKE, TAKE, END]


def test_only_rising_ids_and_times():
    assert verdicts(gate(enforce_pid=True), [5, 5, 4, 6]) == [TAKE, SKIP, SKIP, TAKE]
    assert verdicts(gate(enforce_timestamp=True), [5, 5, 4, 6]) == [TAKE, SKIP, SKIP, TAKE]


def test_records_are_messages_that_were_sent():
    counting = gate(records=2)
    for _ in range(2):
        assert not counting.is_finished
        counting.decide(1, (1, 0), 0.0)
        counting.sent()
    assert counting.is_finished
    assert not gate(records=0).is_finished


def test_settings_change_while_counts_go_on():
    changing = gate(pause=True)
    verdicts(changing, [1, 2])
    changing.settings = pipeline_settings({"camera_name": "c", "downsampling": 1})
    assert verdicts(changing, [3, 4, 5]) == [TAKE, SKIP, TAKE]
    assert changing.skipped == {"pause": 2, "downsampling": 1}


@given(
    st.lists(st.integers(0, 50), max_size=60),
    st.fixed_dictionaries(
        {},
        optional={
            "downsampling": st.integers(0, 4),
            "max_frame_rate": st.floats(0.5, 30),
            "enforce_pid": st.booleans(),
            "pid_range": st.tuples(st.integers(0, 20), st.integers(0, 40)),
        },
    ),
)
def test_every_message_is_taken_or_skipped_for_a_reason(ids, settings):
    found = gate(**settings)
    decided = verdicts(found, ids)
    assert sum(found.skipped.values()) == decided.count(SKIP)
    assert decided.count(TAKE) + decided.count(SKIP) + decided.count(END) == len(ids)
