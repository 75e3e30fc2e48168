"""Who holds the control lock, under which name, and for how long."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repstream.errors import InvalidValue, Refused
from repstream.protocol import Requester
from repstream.service.control_lock import ControlLock

TANGO = Requester("tango", "pid 7", "10.0.0.1")
EPICS = Requester("epics", "eva", "desk")
HTTP = Requester("http", "eva", "desk")
OTHER = Requester("http", "otto", "desk")
NOBODY = Requester("http", "", "desk")


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def lock(clock: Clock) -> ControlLock:
    return ControlLock(lambda: 60.0, clock)


def holds(lock: ControlLock, requester: Requester) -> bool:
    try:
        lock.check("writers.main.start", requester)
    except Refused:
        return False
    return True


def test_a_person_is_the_same_by_every_front_end(lock: ControlLock) -> None:
    lock.take(EPICS, "")
    assert holds(lock, HTTP)
    assert not holds(lock, OTHER)
    assert not holds(lock, NOBODY)
    assert lock.owner == "epics eva@desk"


def test_somebody_without_a_name_is_nobody_else(lock: ControlLock) -> None:
    lock.take(NOBODY, "")
    assert holds(lock, NOBODY)
    assert not holds(lock, Requester("epics", "", "desk"))


def test_a_word_names_one_owner_for_all_control_systems(lock: ControlLock) -> None:
    lock.take(TANGO, "beamtime 7")
    assert not holds(lock, EPICS)
    lock.take(EPICS, "beamtime 7")
    assert holds(lock, EPICS)
    assert holds(lock, TANGO)
    assert lock.owner.startswith("beamtime 7 ")


@pytest.mark.parametrize("word", ["", "another"])
def test_nobody_takes_what_another_holds(lock: ControlLock, word: str) -> None:
    lock.take(TANGO, "beamtime 7")
    with pytest.raises(Refused, match=r"beamtime 7 .*holds the control lock, for 60 s more"):
        lock.take(OTHER, word)


def test_a_wrong_word_does_not_unlock(lock: ControlLock) -> None:
    lock.take(TANGO, "beamtime 7")
    for requester in (TANGO, OTHER):
        with pytest.raises(Refused, match="'beamtime 8' is not the word"):
            lock.give_back(requester, "beamtime 8")
    with pytest.raises(Refused, match="holds the control lock"):
        lock.give_back(OTHER, "")
    assert lock.owner
    lock.give_back(OTHER, "beamtime 7")
    assert not lock.owner


def test_force_unlocks_and_is_no_word_for_a_lock(lock: ControlLock) -> None:
    with pytest.raises(InvalidValue, match="take another"):
        lock.take(TANGO, "force")
    lock.take(TANGO, "")
    lock.give_back(OTHER, "force")
    assert holds(lock, OTHER)


def test_it_opens_when_nothing_is_seen_of_its_owner(lock: ControlLock, clock: Clock) -> None:
    lock.take(TANGO, "")
    clock.now = 59
    assert holds(lock, TANGO)  # which is a sign of life
    clock.now = 118
    assert not holds(lock, OTHER)
    clock.now = 120
    assert not lock.owner
    assert holds(lock, OTHER)


def test_without_a_timeout_it_stays(clock: Clock) -> None:
    lock = ControlLock(lambda: 0.0, clock)
    lock.take(TANGO, "")
    clock.now = 1e9
    assert not holds(lock, OTHER)


def test_to_unlock_what_nobody_holds_is_no_error(lock: ControlLock) -> None:
    for word in ("", "force", "anything"):
        lock.give_back(OTHER, word)


PEOPLE = st.sampled_from([TANGO, EPICS, HTTP, OTHER, NOBODY])
WORDS = st.sampled_from(["", "a", "b"])
STEPS = st.lists(st.tuples(st.sampled_from(["take", "give_back", "check", "wait"]), PEOPLE, WORDS))


@given(STEPS)
def test_never_two_owners(steps: list[tuple[str, Requester, str]]) -> None:
    clock = Clock()
    lock = ControlLock(lambda: 60.0, clock)
    for step, requester, word in steps:
        before = lock.owner
        try:
            match step:
                case "take":
                    lock.take(requester, word)
                    assert holds(lock, requester)
                case "give_back":
                    lock.give_back(requester, word)
                    assert not lock.owner
                case "check":
                    lock.check("it", requester)
                case _:
                    clock.now += 45
        except Refused:
            assert lock.owner == before
            assert before
