"""The one thread that pushes events, for all devices of a server.

Engines call back from threads of their own; a push takes the device's monitor and may wait
seconds for it. So callbacks only queue, and this thread does the pushing. It also publishes
everything again every few seconds, since Tango drops events silently where a subscriber is slow
(over 1,000 waiting), and no client should stay behind for longer than that. Where it falls
behind itself, since many clients poll, such a round takes the place of what waits: the last
values come, and the queue does not grow.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Protocol

from tango import EnsureOmniThread

from repstream.parameters.facts import Value
from repstream.protocol import Change, Engine, Event, Snapshot, Subscription
from repstream_tango import client_threads

REPUBLISH_SECONDS = 4.0

MOST_WAITING = 200
"""Changes that may wait: about as many as cost more than a round of everything."""

log = logging.getLogger(__name__)


class Attachable(Engine, Protocol):
    """An engine elsewhere, until closed."""

    def close(self) -> None: ...


class Publishing(Protocol):
    """A device as this thread sees it."""

    def publish(self, values: Mapping[str, Value], times: Mapping[str, float], at: float) -> None:
        """Push what of `values` is this device's; a key without its own time has `at`.

        With `times` it is a round of everything, otherwise a change.
        """


@dataclass
class _Attachment:
    """One engine and the devices on it."""

    engine: Attachable
    subscription: Subscription | None = None
    devices: list[Publishing] = field(default_factory=list)
    published: tuple[str, int] = ("", 0)
    """Where the last full round ended."""
    awaits_round: bool = False
    """Whether a full round is in the queue; it reaches all devices that are there by then."""


class Publisher:
    """Attaches devices to engines, one connection an address, and publishes what these say."""

    def __init__(self, connect: Callable[[str], Attachable], republish: float = REPUBLISH_SECONDS) -> None:
        self._connect = connect
        self._republish = republish
        self._attachments: dict[str, _Attachment] = {}
        self._lock = threading.Lock()
        self._queue: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._left = threading.Condition(self._lock)
        self._at: Publishing | None = None

    def attach(self, address: str, device: Publishing) -> Engine:
        """The engine at `address`, whose values `device` publishes from now on.

        It need not be there yet. Raises `ValueError` for what is no address.
        """
        with self._lock:
            attachment = self._attachments.get(address)
            if attachment is None:
                attachment = self._attachments[address] = _Attachment(self._connect(address))
                attachment.subscription = attachment.engine.subscribe(
                    lambda event: self._queue.put(partial(self._publish, address, event))
                )
            attachment.devices.append(device)
            if not attachment.awaits_round:
                attachment.awaits_round = True
                self._queue.put(partial(self._publish, address, None))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="publisher", daemon=True)
                self._thread.start()
        return attachment.engine

    def post(self, device: Publishing, push: Callable[[], None]) -> None:
        """Have something else of `device` pushed, unless it has left by then."""
        self._queue.put(partial(self._visit, device, push))

    def detach(self, device: Publishing) -> None:
        """Publish nothing more of `device`; the last one at an address closes the connection.

        Returns when the publisher has left the device, and not before, since a push to a device that is
        gone ends the process. Whoever calls must not hold the device's monitor: the publisher may be
        waiting for it, which it does for 3.2 s at most.
        """
        with self._lock:
            address, attachment = next(
                ((a, at) for a, at in self._attachments.items() if device in at.devices), ("", None)
            )
            if attachment is not None:  # first of all: whatever waits for the device is not pushed any more
                attachment.devices.remove(device)
            self._left.wait_for(lambda: self._at is not device)
            if attachment is None or attachment.devices or self._attachments.get(address) is not attachment:
                return
            del self._attachments[address]
        if attachment.subscription is not None:
            attachment.subscription.close()
        attachment.engine.close()

    def _run(self) -> None:
        with EnsureOmniThread():
            due = monotonic() + self._republish
            while True:
                try:
                    changed: list[Callable[[], None]] = [self._queue.get(timeout=max(0.0, due - monotonic()))]
                except Empty:
                    due = monotonic() + self._republish
                    client_threads.drop_ended()
                    with self._lock:
                        changed = [partial(self._publish, address, None) for address in self._attachments]
                for publish in changed:
                    try:
                        publish()
                    except Exception:
                        # The events of all devices hang on this thread: it may not end of one fault.
                        log.exception("an event could not be published")

    def _publish(self, address: str, event: Event | None) -> None:
        attachment = self._attachments.get(address)
        if attachment is None:
            return
        if event is None:
            self._publish_all(attachment)
        elif isinstance(event, Change):
            epoch, sequence = attachment.published
            if event.epoch == epoch and event.sequence < sequence:
                return  # older than what is out
            if self._queue.qsize() > MOST_WAITING:
                self._publish_all(attachment)
            else:
                self._publish_to(attachment, event)

    def _publish_all(self, attachment: _Attachment) -> None:
        attachment.awaits_round = False
        snapshot = attachment.engine.snapshot()
        attachment.published = (snapshot.epoch, snapshot.sequence)
        self._publish_to(attachment, snapshot)

    def _publish_to(self, attachment: _Attachment, what: Change | Snapshot) -> None:
        times = what.times if isinstance(what, Snapshot) else {}
        for device in tuple(attachment.devices):
            self._visit(device, partial(device.publish, what.values, times, what.time))

    def _visit(self, device: Publishing, push: Callable[[], None]) -> None:
        with self._lock:
            if not any(device in attachment.devices for attachment in self._attachments.values()):
                return
            self._at = device
        try:
            push()
        finally:
            with self._lock:
                self._at = None
                self._left.notify_all()
