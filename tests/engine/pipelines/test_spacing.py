"""What is missing in a stream, by the spacing of its ids."""

from itertools import groupby, pairwise

from hypothesis import assume, given
from hypothesis import strategies as st

from repstream.pipelines.spacing import REGULAR, Spacing


def missing(ids):
    spacing = Spacing()
    for each in ids:
        spacing.observe(each)
    return spacing.missing


def test_ids_that_are_ten_apart_leave_nothing_out():
    assert missing(range(0, 1000, 10)) == 0


def test_what_is_left_out_of_a_spacing_is_missing():
    ids = [each for each in range(0, 1000, 10) if each not in (500, 510, 700)]
    assert missing(ids) == 3


def test_uneven_ids_say_nothing():
    assert missing([0, 3, 4, 9, 11, 12, 20, 22, 23, 30, 31]) == 0


def test_another_spacing_that_stays_is_no_loss():
    assert missing([*range(0, 100, 1), *range(101, 400, 2)]) == 0


def test_ids_that_begin_anew_are_no_loss():
    assert missing([*range(100), *range(100)]) == 0


@given(spacing=st.integers(1, 100), present=st.lists(st.booleans(), max_size=60))
def test_every_id_that_is_left_out_once_is_counted(spacing, present):
    kept = [True] * (REGULAR + 1) + present + [True]
    ids = [number * spacing for number, is_there in enumerate(kept) if is_there]
    steps = [later - earlier for earlier, later in pairwise(ids)]
    assume(all(step == spacing or len(list(run)) < REGULAR for step, run in groupby(steps)))
    assert missing(ids) == kept.count(False)
