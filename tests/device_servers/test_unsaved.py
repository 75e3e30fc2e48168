"""When configurations may be kept out of the database: never while something else needs it."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager, nullcontext

import pytest

from repstream_tango import unsaved

DEVICE = object()


class Switch:
    """In the place of `tango.Util`."""

    def __init__(self, starting: bool) -> None:
        self.starting = starting
        self._UseDb = True

    def instance(self) -> Switch:
        return self

    def is_svr_starting(self) -> bool:
        return self.starting

    def get_dserver_device(self) -> object:
        return object()

    def set_use_db(self, used: bool) -> None:
        self._UseDb = used


@pytest.fixture(params=[False, True], ids=["serving", "starting"])
def switch(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Switch:
    made = Switch(request.param)
    monkeypatch.setattr(unsaved, "Util", made)

    def monitor(device: object) -> AbstractContextManager[None]:
        return nullcontext()

    monkeypatch.setattr(unsaved, "AutoTangoMonitor", monitor)
    return made


def test_the_switch_is_off_within_unless_the_server_starts(switch: Switch) -> None:
    with unsaved.unsaved(DEVICE) as possible:
        assert possible is not switch.starting
        assert switch._UseDb is switch.starting
    assert switch._UseDb


def test_it_stays_on_while_the_database_is_used(switch: Switch) -> None:
    begun, may_end = threading.Event(), threading.Event()

    def use() -> None:
        with unsaved.using_database(), unsaved.using_database():  # a device that is made reads its properties
            begun.set()
            assert may_end.wait(20)

    user = threading.Thread(target=use)
    user.start()
    assert begun.wait(20)
    with unsaved.unsaved(DEVICE) as possible:
        assert not possible
        assert switch._UseDb
    may_end.set()
    user.join(20)
    with unsaved.unsaved(DEVICE) as possible:
        assert possible is not switch.starting


def test_what_needs_the_database_waits_while_it_is_off(switch: Switch) -> None:
    seen: list[bool] = []

    def use() -> None:
        with unsaved.using_database():
            seen.append(switch._UseDb)

    user = threading.Thread(target=use)
    with unsaved.unsaved(DEVICE):
        user.start()
        user.join(0.2)
        assert switch.starting or not seen
    user.join(20)
    assert seen == [True]
