"""Who looks at what."""

from __future__ import annotations

from repstream.pictures.asks import Asks
from repstream.pictures.picture import Box, View
from repstream.pictures.wire import LEASE, Ask, Forget

NEAR = View(Box(0, 0, 10, 10))


def test_an_ask_is_answered_once_with_a_newer_picture() -> None:
    asks = Asks()
    asks.take(b"a", Ask(1, slot=1, view=None, after=5), now=0)
    assert asks.answerable(1, 5, now=0) == {}
    assert asks.answerable(2, 6, now=0) == {}
    assert asks.answerable(1, 6, now=0) == {None: [(b"a", 1)]}
    assert asks.answerable(1, 7, now=0) == {}


def test_equal_views_come_together() -> None:
    asks = Asks()
    asks.take(b"a", Ask(1, 1, NEAR, 0), now=0)
    asks.take(b"b", Ask(1, 1, View(Box(0, 0, 10, 10)), 0), now=0)
    asks.take(b"b", Ask(2, 1, None, 0), now=0)
    assert asks.answerable(1, 1, now=0) == {NEAR: [(b"a", 1), (b"b", 1)], None: [(b"b", 2)]}


def test_a_renewal_that_crossed_its_answer_asks_for_nothing() -> None:
    asks = Asks()
    ask = Ask(1, 1, None, 0)
    asks.take(b"a", ask, now=0)
    asks.answerable(1, 1, now=0)
    asks.take(b"a", ask, now=0.1)
    assert asks.answerable(1, 2, now=0.2) == {}


def test_what_is_not_renewed_is_forgotten() -> None:
    asks = Asks()
    asks.take(b"dead", Ask(1, 1, None, 0), now=0)
    asks.take(b"alive", Ask(1, 1, None, 0), now=0)
    asks.take(b"alive", Ask(1, 1, None, 0), now=LEASE - 1)
    asks.purge(now=LEASE)
    assert asks.answerable(1, 1, now=LEASE) == {None: [(b"alive", 1)]}


def test_nobody_looks_a_while_after_the_last_ask() -> None:
    asks = Asks()
    assert not asks.looks(1, now=0)
    asks.take(b"a", Ask(1, 1, None, 0), now=1)
    assert asks.looks(1, now=1)
    assert not asks.looks(2, now=1)
    asks.take(b"a", Forget(1), now=1)
    assert asks.looks(1, now=1 + LEASE / 2)
    assert not asks.looks(1, now=1 + LEASE)
