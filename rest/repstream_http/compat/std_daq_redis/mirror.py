"""A thread that keeps the streams in Redis up to date; nothing of the engine waits for it."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from contextlib import closing
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from repstream.lifetime import Running
from repstream.link.history import MOST, History
from repstream.parameters.catalogue import Group, key_of
from repstream.parameters.facts import Value
from repstream.protocol import Change, Engine, Event
from repstream_http.compat.std_daq import writing
from repstream_http.compat.std_daq.daq import KEPT, Daq
from repstream_http.compat.std_daq_redis import documents
from repstream_http.compat.std_daq_redis.documents import ENTRY_ID, NEXT, Entry

log = logging.getLogger(__name__)

PATIENCE = 2.0
"""Seconds within which Redis answers, or counts as gone."""

RETRY = 1.0
"""Seconds between two attempts to reach it."""

INTERVAL = 1.0
"""Seconds between two entries of the statistics."""

MOST_WAITING = 1000
"""Statuses, and configurations, that wait while Redis is gone; the oldest are left out."""

MOST_ENTRIES = 10_000
"""Length to which Redis cuts the streams, about."""


class Mirror(Running):
    """The documents of one engine in the Redis at `url` (``redis://host:6379/0``); a context manager.

    A Redis that is absent, slow, full or refuses is a warning in the log. When it answers again it gets
    the statuses and configurations that waited, and every acquisition that `history` knows and it does
    not. Raises ValueError for a URL that is none.
    """

    def __init__(self, engine: Engine, history: History, url: str, namespace: str = "daq") -> None:
        self._client: Any = redis.Redis.from_url(
            url,
            socket_timeout=PATIENCE,
            socket_connect_timeout=PATIENCE,
            retry=Retry(NoBackoff(), 0),
            decode_responses=True,
        )
        self._engine, self._history, self._namespace = engine, history, namespace
        self._daq = Daq(engine, history)
        found = self._client.get_connection_kwargs()
        self._where = f"Redis at {found.get('host') or found.get('path')}:{found.get('port', '')}".rstrip(":")
        self._keys = {p.key: p.field for p in engine.catalogue.of(Group.WRITER, writing.SLOT)}
        self._waiting: deque[Entry] = deque(maxlen=MOST_WAITING)
        self._configurations: deque[str] = deque(maxlen=MOST_WAITING)
        self._known: set[str] = set()
        self._changed = threading.Event()
        self._ended = threading.Event()
        self._lost = ""
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="redis mirror", daemon=True)

    def start(self) -> None:
        """Begin with what the engine shows now."""
        with self._lock:
            self._subscription = self._engine.subscribe(self._on_event)
            snapshot = self._engine.snapshot()
            self._since = snapshot.sequence
            self._fields = {field: snapshot.values[key] for key, field in self._keys.items()}
            self._put_status()
            self._put_configuration(snapshot.values[KEPT])
        self._thread.start()

    def close(self) -> None:
        """Follow no more; what waits has as long to get out as Redis has to answer."""
        self._subscription.close()
        self._ended.set()
        self._changed.set()
        self._thread.join(2 * PATIENCE)

    def _on_event(self, event: Event) -> None:
        with self._lock:
            if not isinstance(event, Change) or event.sequence <= self._since:
                return
        news = {self._keys[key]: value for key, value in event.values.items() if key in self._keys}
        if news:
            self._fields = {**self._fields, **news}
            self._put_status()
        if KEPT in event.values:
            self._put_configuration(event.values[KEPT])

    def _put_status(self) -> None:
        entry = documents.status(self._fields)
        if not self._waiting or self._waiting[-1] != entry:
            self._waiting.append(entry)
            self._changed.set()

    def _put_configuration(self, kept: Value) -> None:
        if kept:
            self._configurations.append(str(kept))
            self._changed.set()

    def _run(self) -> None:
        while True:
            try:
                with closing(self._client):
                    self._known = self._logged()
                    self._note_found()
                    self._follow()
                return
            except (redis.RedisError, OSError) as error:
                self._note_lost(error)
            if self._ended.wait(RETRY):
                return

    def _follow(self) -> None:
        """Write what comes, until the end."""
        due = time.monotonic()
        while True:
            ended = self._ended.is_set()
            self._changed.clear()
            self._write_waiting()
            if ended or time.monotonic() >= due:
                due = time.monotonic() + INTERVAL
                self._write_logs()
                self._add(documents.statistics(self._daq.stats()))
            if ended:
                return
            self._changed.wait(max(0.0, due - time.monotonic()))

    def _write_waiting(self) -> None:
        while self._configurations:
            kept = self._configurations[0]
            for entry in documents.config(kept, self._host):
                self._add_once(entry)
            self._forget(self._configurations, kept)
        while self._waiting:
            entry = self._waiting[0]
            self._add(entry)
            self._forget(self._waiting, entry)

    def _write_logs(self) -> None:
        records = self._history.last(MOST)
        for record in reversed(records):
            if record["full_file_name"] and record["acquisition_id"] not in self._known:
                for entry in documents.log(record, self._host):
                    self._add(entry)
                self._known.add(str(record["acquisition_id"]))
        self._known = {str(record["acquisition_id"]) for record in records}

    def _logged(self) -> set[str]:
        """The acquisitions that are in Redis already."""
        entries = self._client.xrevrange(self._name("log"), count=MOST)
        return {fields.get("acquisition_id", "") for _, fields in entries}

    def _add_once(self, entry: Entry) -> None:
        """Add an entry unless there is one with its id, as after a restart; a report goes with it."""
        name = self._name(entry.stream)
        if entry.entry_id == NEXT:
            known = self._client.exists(name)
        else:
            known = self._client.xrange(name, entry.entry_id, entry.entry_id)
        if not known:
            self._add(entry)

    def _add(self, entry: Entry) -> None:
        name, entry_id = self._name(entry.stream), entry.entry_id
        if entry_id != NEXT and not (ENTRY_ID.fullmatch(entry_id) and self._is_next(name, entry_id)):
            entry_id = NEXT
        self._client.xadd(name, dict(entry.fields), id=entry_id, maxlen=MOST_ENTRIES, approximate=True)

    def _is_next(self, name: str, entry_id: str) -> bool:
        """Whether Redis takes this id: those of a stream rise, those of its acquisitions not always."""
        last = self._client.xrevrange(name, count=1)
        return not last or _order(last[0][0]) < _order(entry_id)

    def _name(self, stream: str) -> str:
        return f"{self._namespace}:{stream}"

    @property
    def _host(self) -> str:
        return str(self._engine.read(key_of(Group.ENGINE, 0, "host")).value or "")

    @staticmethod
    def _forget(waiting: deque[Any], written: object) -> None:
        """Written; meanwhile it may have been left out for want of room."""
        if waiting and waiting[0] is written:
            waiting.popleft()

    def _note_lost(self, error: Exception) -> None:
        if not self._lost:
            log.warning("%s: %s; what is for it waits", self._where, error)
        self._lost = str(error)

    def _note_found(self) -> None:
        if self._lost:
            log.info("%s: found again, it gets what waited", self._where)
        self._lost = ""


def _order(entry_id: str) -> tuple[int, ...]:
    return tuple(map(int, entry_id.split("-")))
