"""When configurations may be kept out of the database: never while a device is exported."""

from __future__ import annotations

import pytest

from repstream_tango import unsaved


class Switch:
    """In the place of `tango.Util`."""

    def __init__(self, starting: bool) -> None:
        self.starting = starting
        self._UseDb = True

    def instance(self) -> Switch:
        return self

    def is_svr_starting(self) -> bool:
        return self.starting

    def set_use_db(self, used: bool) -> None:
        self._UseDb = used


@pytest.fixture(params=[False, True], ids=["serving", "starting"])
def switch(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Switch:
    made = Switch(request.param)
    monkeypatch.setattr(unsaved, "Util", made)
    return made


def test_the_switch_is_off_within_unless_the_server_starts(switch: Switch) -> None:
    with unsaved.unsaved() as possible:
        assert possible is not switch.starting
        assert switch._UseDb is switch.starting
    assert switch._UseDb


def test_it_stays_on_while_a_device_is_made(switch: Switch) -> None:
    with unsaved.exporting(), unsaved.unsaved() as possible:
        assert not possible
        assert switch._UseDb
    with unsaved.unsaved() as possible:
        assert possible is not switch.starting
