"""Change, archive and alarm events: what each client gets, and that none spoils another's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from queue import Queue
from typing import Any

import pytest
import tango
from tango import AttrQuality, DevState, EventType

from repstream_tango.events import Events
from tests.device_servers.conftest import ELSEWHERE, Bench
from tests.device_servers.serving import REPEATER, free_port, until
from tests.device_servers.watching import Watch, watching

VALID, WARNING = AttrQuality.ATTR_VALID, AttrQuality.ATTR_WARNING


class Pushed:
    """Fills `Pushing`; keeps what was pushed."""

    def __init__(self) -> None:
        self.change: list[Any] = []
        self.archive: list[Any] = []
        self.alarm: list[Any] = []

    def push_change_event(self, name: str, *what: Any) -> None:
        self.change.append(what[0])

    def push_archive_event(self, name: str, *what: Any) -> None:
        self.archive.append(what[0])

    def push_alarm_event(self, name: str, *what: Any) -> None:
        self.alarm.append(what[0])


def test_a_number_is_archived_once_a_round_and_only_where_it_changed() -> None:
    pushed = Pushed()
    events = Events(pushed)
    for value in (1, 2, 3):
        events.push("Rate", (value, 0.0, VALID), again=False, gradual=True)
    events.push("Rate", (3, 0.0, VALID), again=True, gradual=True)
    events.push("Rate", (3, 0.0, VALID), again=True, gradual=True)
    assert (pushed.change, pushed.archive) == ([1, 2, 3, 3, 3], [3])


def test_what_is_no_number_is_archived_with_every_change() -> None:
    pushed = Pushed()
    events = Events(pushed)
    for value in ("a", "b", "b", "a"):
        events.push("Name", (value, 0.0, VALID), again=False, gradual=False)
    assert pushed.archive == ["a", "b", "a"]


def test_an_alarm_event_comes_with_the_quality_and_again_for_who_missed_it() -> None:
    pushed = Pushed()
    events = Events(pushed)
    for value, quality in ((1, VALID), (2, VALID), (9, WARNING), (8, WARNING), (3, VALID)):
        events.push("Queue", (value, 0.0, quality), again=False, gradual=True)
    events.push("Queue", (3, 0.0, VALID), again=True, gradual=True)
    assert pushed.alarm == [1, 9, 3, 3]


@contextmanager
def subscribed(proxy: tango.DeviceProxy, attribute: str, kind: EventType) -> Iterator[Watch]:
    watch = Watch()
    subscription = proxy.subscribe_event(attribute, kind, watch)
    try:
        yield watch
    finally:
        proxy.unsubscribe_event(subscription)


def test_every_attribute_has_all_events_without_polling(bench: Bench) -> None:
    def ignore(event: Any) -> None:
        """Nothing is checked but that one may subscribe."""

    for proxy in (bench.repeater, bench.writer):
        names = [info.name for info in proxy.attribute_list_query()]
        assert len(names) > 50
        for name in (*names[::7], "State", "Status"):
            for kind in (EventType.CHANGE_EVENT, EventType.ARCHIVE_EVENT, EventType.ALARM_EVENT):
                proxy.unsubscribe_event(proxy.subscribe_event(name, kind, ignore))
            assert not proxy.is_attribute_polled(name)


@pytest.mark.parametrize(
    ("attribute", "key", "values"),
    [
        ("Stream2EveryNth", "every_nth", [5, 70000, 12]),
        ("Stream2EverySec", "every_sec", [1.25, 100.0, 0.5]),
        ("Stream2AlarmOnDrop", "alarm_on_drop", [False, True, False]),
        ("Stream2Policy", "policy", ["send_every_nth", "forward", "send_every_nth"]),
    ],
)
def test_a_subscription_to_alarms_spoils_nobodys_values(
    bench: Bench, attribute: str, key: str, values: list[Any]
) -> None:
    other = tango.DeviceProxy(bench.trl(REPEATER))
    labels = list(bench.repeater.get_attribute_config(attribute).enum_labels)
    right = {bench.repeater.read_attribute(attribute).value}
    with (
        watching(bench.repeater, attribute) as change,
        subscribed(other, attribute, EventType.ALARM_EVENT) as alarm,
    ):
        alarm.next_where(lambda told: True)
        for value in values:
            bench.elsewhere(**{f"streams__preview__{key}": value})
            wanted = labels.index(value) if labels else value
            right.add(wanted)
            told = change.next_where(lambda told, wanted=wanted: told.value == wanted)
            assert told.w_value == wanted
            assert set(change.others) <= right  # nothing comes but what it was, and what it is now


def test_an_archiver_gets_settings_and_states_at_once_and_numbers_in_the_end(bench: Bench) -> None:
    kind = EventType.ARCHIVE_EVENT
    with (
        subscribed(bench.repeater, "State", kind) as state,
        subscribed(bench.repeater, "SourceReceived", kind) as received,
        subscribed(bench.writer, "FileName", kind) as name,
    ):
        given: list[str] = []

        def is_archived() -> bool:
            # Again and again: events that come before ZMQ has connected the subscriber are lost.
            given.append(f"archived_{len(given)}")
            bench.writer.FileName = given[-1]
            return name.comes(lambda value: value in given, 1.0)

        until(is_archived, "the name")
        bench.repeater.Start()
        state.next_value(DevState.RUNNING)
        bench.plane.receive(12345)
        until(lambda: bench.repeater.SourceReceived >= 12345, "the counter")
        received.next_value(bench.repeater.SourceReceived)
        bench.service.execute("engine.stop", None, ELSEWHERE)
        state.next_value(DevState.OFF)


def test_a_change_of_configuration_is_an_event(bench: Bench) -> None:
    labels: list[str] = []
    given: set[str] = set()

    def take(event: Any) -> None:
        labels.append("" if event.err else event.attr_conf.label)

    subscription = bench.repeater.subscribe_event("SourceRate", EventType.ATTR_CONF_EVENT, take)
    try:
        info = bench.repeater.get_attribute_config("SourceRate")

        def is_seen() -> bool:
            # Again and again: events that come before ZMQ has connected the subscriber are lost.
            info.label = f"Rate at the door {len(given)}"
            given.add(info.label)
            bench.repeater.set_attribute_config(info)
            return bool(given & set(labels))

        until(is_seen, "the label")
    finally:
        bench.repeater.unsubscribe_event(subscription)


def test_a_label_has_the_name_of_its_stream_and_follows_it(bench: Bench) -> None:
    labels: Queue[str] = Queue()

    def take(event: Any) -> None:
        if not event.err:
            labels.put(event.attr_conf.label)

    def shown(attribute: str) -> str:
        return str(bench.repeater.get_attribute_config(attribute).label)

    stream = {"address": f"tcp://127.0.0.1:{free_port()}"}
    until(lambda: shown("Stream1EveryNth") == "live: Every nth frame", "the name of the stream in the label")
    assert shown("Stream1Policy").startswith("live: ")  # a choice, too
    assert shown("Stream3EveryNth") == "Stream 3: Every nth frame"
    subscription = bench.repeater.subscribe_event("Stream3EveryNth", EventType.ATTR_CONF_EVENT, take)
    try:
        labels.get(timeout=20)  # what it is, once subscribed
        for name in ("third", "source"):
            bench.repeater.Configure(json.dumps({"streams": {name: stream}}))
            # A stream that is called as something else of the device would make two labels alike.
            wanted = f"{'Stream 3' if name == 'source' else name}: Every nth frame"
            until(lambda wanted=wanted: shown("Stream3EveryNth") == wanted, wanted)  # type: ignore[misc]
            bench.repeater.Configure(json.dumps({"streams": {name: None}}))
            until(lambda: shown("Stream3EveryNth") == "Stream 3: Every nth frame", "the label without a name")
        until(lambda: "third: Every nth frame" in labels.queue, "the event")
    finally:
        bench.repeater.unsubscribe_event(subscription)


def test_a_label_that_a_client_has_set_stays(bench: Bench) -> None:
    info = bench.repeater.get_attribute_config("Stream4Rate")
    info.label = "Rate of the fourth"
    bench.repeater.set_attribute_config(info)
    stream = {"address": f"tcp://127.0.0.1:{free_port()}"}
    bench.repeater.Configure(json.dumps({"streams": {"one": stream, "fourth": stream}}))
    try:
        until(
            lambda: bench.repeater.get_attribute_config("Stream4EveryNth").label.startswith("fourth: "), "it"
        )
        assert bench.repeater.get_attribute_config("Stream4Rate").label == "Rate of the fourth"
    finally:
        bench.repeater.Configure(json.dumps({"streams": {"one": None, "fourth": None}}))
