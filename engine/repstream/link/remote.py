"""An engine in another process, by its address (fills `protocol.Engine`)."""

from __future__ import annotations

import getpass
import itertools
import logging
import os
import platform
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from functools import partial

from repstream.errors import EngineUnreachable, UnknownKey, unknown_key
from repstream.lifetime import Closing
from repstream.link import wire
from repstream.link.connection import Connection
from repstream.link.fitting import misfit
from repstream.link.handles import PendingHandle
from repstream.link.publisher import Publisher, Registration
from repstream.parameters.catalogue import Catalogue, Group, build, key_of
from repstream.parameters.facts import Role, Value
from repstream.parameters.plain import plain
from repstream.parameters.writer_status import NEWEST, AcquisitionStatus, WriterStatus
from repstream.protocol import Change, Completion, Event, Reading, Requester, Snapshot
from repstream.sockets.security import Security, of_client
from repstream.states import is_writing

log = logging.getLogger(__name__)

UNKNOWN = "UNKNOWN"
"""The state of what cannot be asked, wherever a state has it among its choices."""

ANSWER_TIME = 10.0
"""Seconds within which an engine answers a request."""

_REMEMBERED = 1000
_ADDRESS = re.compile(r"tcp://[^\s/]+:\d+|ipc://\S+|inproc://\S+")


class RemoteEngine(Closing):
    """The engine at `address`. It need not be there yet, may go away, and is found again.

    While it cannot be reached the states are UNKNOWN, ``engine.status`` says since when, and every
    other value is None. `catalogue` is that of the engine heard of last, before the first one that of a
    repeater with the usual slots (`fitting` tells what is made for another one). `close` it after use. With
    `security` the connection is encrypted, as the environment asks for where it is not given. Raises
    `ValueError` for what is no address, `Refused` where a key of CURVE is missing.
    """

    def __init__(
        self, address: str, key: str = "", front_end: str = "client", security: Security | None = None
    ) -> None:
        if not _ADDRESS.fullmatch(address):
            raise ValueError(f"{address!r} is no address of an engine: it must look like tcp://host:9600")
        self.address = address
        self._requester = Requester(front_end, getpass.getuser(), platform.node())
        self._lock = threading.Condition()
        self._catalogue = build()
        self._values: dict[str, Value] = {}
        self._times: dict[str, float] = {}
        self._epoch, self._sequence, self._time = "", 0, 0.0
        self._connected = False
        self._numbers = itertools.count(1)
        self._answers: dict[int, Future[wire.Done | wire.Failed]] = {}
        self._handles: dict[str, PendingHandle] = {}
        self._ended: OrderedDict[str, Completion] = OrderedDict()
        self._connection = Connection(
            address,
            of_client() if security is None else security,
            wire.encode(wire.Hello(wire.VERSION, key, self._requester)),
            take=self._take,
            silent=self._silent,
        )
        self._process = os.getpid()
        self._closed = False
        self._publisher = Publisher(f"remote {address}")
        self._unreachable(_none_yet(address))
        self._publisher.start()
        self._connection.start()

    def close(self) -> None:
        """Leave the engine; a second close changes nothing, nor does one in a forked process."""
        if self._closed or os.getpid() != self._process:
            return
        self._closed = True
        self._connection.close()
        self._lost("this client has been closed")
        self._publisher.close()

    @property
    def connected(self) -> bool:
        return self._connected

    def wait_connected(self, timeout: float) -> None:
        """Wait until the engine has answered; raises `EngineUnreachable` with the reason."""
        with self._lock:
            self._lock.wait_for(lambda: self._connected, timeout)
        self.check_connected()

    def check_connected(self) -> None:
        """Raise `EngineUnreachable` with the reason where the engine cannot be reached now."""
        if os.getpid() != self._process:
            raise EngineUnreachable(
                f"this client belongs to process {self._process}; make another one after a fork"
            )
        if not self._connected:
            raise EngineUnreachable(str(self._values[self._status_key]))

    # --- protocol.Engine ------------------------------------------------------------------

    @property
    def catalogue(self) -> Catalogue:
        return self._catalogue

    def snapshot(self) -> Snapshot:
        with self._lock:
            return Snapshot(self._epoch, self._sequence, self._time, dict(self._values), dict(self._times))

    def read(self, key: str) -> Reading:
        with self._lock:
            known = key if key in self._values else self.known_key(key)
            return Reading(self._values[known], self._times[known])

    def write(self, values: Mapping[str, object], requester: Requester | None = None) -> None:
        """As `protocol.Engine.write`; takes NumPy scalars, paths, enumerations and mappings as well."""
        who = requester or self._requester
        given = {str(plain("key", key)): plain(str(key), value) for key, value in values.items()}
        self._ask(lambda number: wire.Write(number, given, who))

    def execute(
        self, command: str, argument: object = None, requester: Requester | None = None
    ) -> PendingHandle:
        """As `protocol.Engine.execute`; takes what `write` takes."""
        who = requester or self._requester
        given = plain(str(command), argument)
        done = self._ask(lambda number: wire.Execute(number, str(plain("command", command)), given, who))
        handle = PendingHandle(done.handle_id, command)
        with self._lock:
            completion = self._ended.pop(done.handle_id, None)
            if completion is None and self._connected:
                self._handles[done.handle_id] = handle
                return handle
        handle.finish(completion or self._lost_completion(handle))
        return handle

    def subscribe(self, callback: Callable[[Event], None]) -> Registration:
        return self._publisher.subscribe(callback)

    # --- asking ---------------------------------------------------------------------------

    def _ask(self, build: Callable[[int], wire.Write | wire.Execute]) -> wire.Done:
        self.check_connected()
        number = next(self._numbers)
        answer: Future[wire.Done | wire.Failed] = Future()
        self._answers[number] = answer
        try:
            self._connection.send(wire.encode(build(number)))
            done = answer.result(ANSWER_TIME)
        except FutureTimeout as error:
            raise EngineUnreachable(
                f"the engine at {self.address} did not answer in {ANSWER_TIME:.0f} s"
            ) from error
        finally:
            self._answers.pop(number, None)
        with self._lock:  # whoever has written reads what was written; a refused start has its result
            self._lock.wait_for(lambda: self._sequence >= done.sequence or not self._connected, 1.0)
        if isinstance(done, wire.Failed):
            raise wire.error_of(done)
        return done

    def known_key(self, key: str) -> str:
        """``streams.live.every_nth`` as ``streams.1.every_nth``; any other key as it is.

        Raises `UnknownKey` where there is none, and `EngineUnreachable` where only a name is given
        and nobody can be asked for its slot, or no engine has said yet what it has.
        """
        with self._lock:
            known = self._key_with_slot(key)
            if known in self._values:
                return known
        if key.count(".") == 2 or not self._epoch:
            self.check_connected()
        raise self._unknown(key)

    def _unknown(self, key: str) -> UnknownKey:
        """The error for a key that is none, with names where slots have them, and without empty slots."""
        catalogue, known, given = self._catalogue, list[str](), key
        for parameter in catalogue.parameters.values():
            group, slot, head = parameter.group, parameter.slot, key_of(parameter.group, parameter.slot, "")
            if group not in catalogue.named:
                known.append(parameter.key)
            elif name := self._values[catalogue.key(Role.NAME, group, slot)]:
                known.append(key_of(group, str(name), parameter.field))
                if given.startswith(head):
                    given = key_of(group, str(name), given.removeprefix(head))
        return unknown_key(given, "parameter", known)

    def _key_with_slot(self, key: str) -> str:
        if key in self._values:
            return key
        group, _, rest = key.partition(".")
        name, _, field = rest.partition(".")
        for slot in self._catalogue.slots(group) if group in self._catalogue.named else ():
            if self._values[key_of(group, slot, "name")] == name:
                return key_of(group, slot, field)
        return key

    # --- from the connection's thread -------------------------------------------------------

    def _take(self, message: wire.FromEngine) -> bool:
        match message:
            case wire.Welcome():
                self._welcome(message)
            case Change() | Completion():
                return self._event(message)
            case wire.Done():
                if (answer := self._waiting(message.number)) is not None:
                    answer.set_result(message)
            case wire.Failed():
                if (answer := self._waiting(message.number)) is not None:
                    answer.set_result(message)
            case wire.Denied():
                self._lost(f"{self.address}: {message.reason}")
                return message.reason != "say hello first"
        return True

    def _silent(self, since: str, hint: str) -> None:
        what = f"no answer from {self.address} since {since}" if self._epoch else _none_yet(self.address)
        self._lost(f"{what}{hint}")

    def _welcome(self, welcome: wire.Welcome) -> None:
        snapshot = welcome.snapshot
        if self._epoch and (different := misfit(self._catalogue, welcome.catalogue)):
            log.warning("another kind of engine answers at %s: %s", self.address, different)
        with self._lock:
            another_life = self._epoch not in ("", snapshot.epoch)
            gone = dict.fromkeys(self._values.keys() - snapshot.values.keys())
            self._catalogue = welcome.catalogue
            self._values, self._times = dict(snapshot.values), dict(snapshot.times)
            self._epoch, self._sequence, self._time = snapshot.epoch, snapshot.sequence, snapshot.time
            self._connected = True
            self._lock.notify_all()
        if another_life:
            self._give_up_handles()
        for completion in welcome.completions:  # some may have come while events were missed
            self._completed(completion)
        now = {**gone, **snapshot.values}
        self._publisher.publish(Change(snapshot.epoch, snapshot.sequence, snapshot.time, now))

    def _event(self, event: Change | Completion) -> bool:
        with self._lock:
            if event.epoch != self._epoch or event.sequence <= self._sequence:
                return True
            if event.sequence != self._sequence + 1:
                return False
            self._sequence, self._time = event.sequence, event.time
            if isinstance(event, Change):
                self._values.update(event.values)
                self._times.update(dict.fromkeys(event.values, event.time))
            self._lock.notify_all()
        self._publisher.publish(event)
        if isinstance(event, Completion):
            self._completed(event)
        return True

    def _completed(self, completion: Completion) -> None:
        with self._lock:
            handle = self._handles.pop(completion.handle_id, None)
            if handle is None:  # it may be of a command whose answer has not been looked at yet
                self._ended[completion.handle_id] = completion
                while len(self._ended) > _REMEMBERED:
                    self._ended.popitem(last=False)
                return
        self._publisher.call(partial(handle.finish, completion))

    def _lost(self, reason: str) -> None:
        if self._connected or self._values[self._status_key] != reason:
            self._unreachable(reason)
        self._give_up_handles()
        for number in list(self._answers):
            if (answer := self._waiting(number)) is not None:
                answer.set_exception(EngineUnreachable(reason))

    def _waiting(self, number: int) -> Future[wire.Done | wire.Failed] | None:
        """The request that still waits for its answer; only this thread answers."""
        answer = self._answers.get(number)
        return None if answer is None or answer.done() else answer

    def _give_up_handles(self) -> None:
        with self._lock:
            handles, self._handles = list(self._handles.values()), {}
        for handle in handles:
            completion = self._lost_completion(handle)
            self._publisher.publish(completion)
            self._publisher.call(partial(handle.finish, completion))

    def _lost_completion(self, handle: PendingHandle) -> Completion:
        reason = f"the engine at {self.address} was lost; what became of {handle.command} is not known"
        return Completion(
            self._epoch, self._sequence, time.time(), handle.handle_id, handle.command, False, reason
        )

    @property
    def _status_key(self) -> str:
        return self._catalogue.key(Role.STATUS, Group.ENGINE)

    def _unreachable(self, reason: str) -> None:
        values: dict[str, Value] = dict.fromkeys(self._catalogue.parameters)
        values[self._status_key] = "; ".join([reason, *_was_writing(self._catalogue, self._values)])
        values |= {p.key: UNKNOWN for p in self._catalogue.parameters.values() if UNKNOWN in p.choices}
        with self._lock:
            self._connected = False
            self._values, self._time = values, time.time()
            self._times = dict.fromkeys(values, self._time)
            self._lock.notify_all()
            change = Change(self._epoch, self._sequence, self._time, dict(values))
        self._publisher.publish(change)


def _none_yet(address: str) -> str:
    return f"no engine has answered at {address} yet"


def _was_writing(catalogue: Catalogue, values: Mapping[str, Value]) -> Iterator[str]:
    """What each writer was doing when the engine was heard of for the last time, as a clause."""
    for slot in catalogue.slots(Group.WRITER):
        fields = {
            parameter.field: values.get(parameter.key) for parameter in catalogue.of(Group.WRITER, slot)
        }
        writer, newest = WriterStatus.of(fields), AcquisitionStatus.of(fields, NEWEST.prefix)
        if is_writing(writer.state):
            held = f"{newest.num_written} images were in it"
            yield f"writer {writer.name} was writing {newest.full_file_name}, {held}"
