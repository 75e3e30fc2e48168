"""The data planes that each merge one stream: the receivers' messages, sent on in the order of their ids."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Collection, Mapping

import msgspec

from repstream.dataplane import control
from repstream.parameters import storage
from repstream.parameters.configuration import Configuration
from repstream.service.receivers.merged_stream import MergedStream
from repstream.service.receivers.shares import merged_streams, share_of, share_of_merger, turn_of


class Mergers:
    """Those of one start; each has the number of its plane, which follow those of the receivers.

    A receiver is a lane from its start to its end, so that nobody takes its messages for those of the process
    that it is after its death. The sockets lie in a folder that only this user can enter.
    """

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self._receivers = configuration.source.receivers
        self.names = dict(enumerate(merged_streams(configuration), self._receivers))
        self._slots = {k: configuration.slots[f"streams.{name}"] for k, name in self.names.items()}
        self._books = {k: MergedStream() for k in self.names}
        self._losses = dict.fromkeys(self.names, 0)
        self._lanes: dict[int, int] = {}
        self._next_lane = itertools.count()
        self._folder = tempfile.TemporaryDirectory(prefix="repstream-") if self.names else None

    @property
    def _addresses(self) -> Mapping[str, str]:
        folder = "" if self._folder is None else self._folder.name
        return {name: f"ipc://{folder}/{k}" for k, name in self.names.items()}

    def update(self, configuration: Configuration) -> None:
        """Take the settings that may change meanwhile."""
        self._configuration = configuration

    def share(self, k: int) -> str:
        """The configuration of a plane, a receiver or one that merges."""
        whole, addresses = self._configuration, self._addresses
        if k in self.names:
            return storage.dump(share_of_merger(whole, self.names[k], addresses[self.names[k]]))
        return storage.dump(share_of(whole, k, addresses))

    def opening(self, k: int, number: int, arms: tuple[control.Arm, ...] = ()) -> control.Open:
        """What a plane is asked to open; a receiver begins a lane by it."""
        if k not in self.names:
            self._lanes[k] = lane = next(self._next_lane)
            for books in self._books.values():
                books.begin(lane)
            streams = tuple(self.names.values())
            turn = turn_of(self._configuration.source, k)
            return control.Open(number, self.share(k), arms, lane=control.Lane(lane, streams), turn=turn)
        stream = self._configuration.streams[self.names[k]]
        lanes = tuple(self._lanes.get(receiver, receiver) for receiver in range(self._receivers))
        merge = control.Merge(lanes, stream.merge_time, stream.buffer_size, stream.buffer_memory)
        return control.Open(number, self.share(k), merge=merge)

    def note(self, receiver: int, report: control.Report) -> None:
        """A receiver reports."""
        for k, books in self._books.items():
            if (stream := report.streams.get(self._slots[k])) is not None and receiver in self._lanes:
                books.note(self._lanes[receiver], stream)

    def take(self, k: int, report: control.Report) -> None:
        """One that merges reports."""
        stream, merge = report.streams.get(self._slots[k]), report.source.merge
        if stream is not None and merge is not None:
            self._books[k].take(stream, merge, report.clock)
            self._losses[k] = report.losses

    def lose(self, k: int, now: float) -> None:
        """A plane has died; `now` is monotonic."""
        if k in self.names:
            self._books[k].lose()
        elif (lane := self._lanes.pop(k, None)) is not None:
            for books in self._books.values():
                books.end(lane, now)

    def are_through(self, live: Collection[int]) -> bool:
        """Whether all that receivers have sent has arrived at those that live."""
        return all(self._books[k].is_through for k in live)

    def enter(self, report: control.Report, *, final: bool) -> control.Report:
        """The report of the receivers, with the streams that are merged; `final`: all are closed."""
        streams = {self._slots[k]: books.report(final=final) for k, books in self._books.items()}
        losses = sum(self._losses.values()) + sum(books.losses for books in self._books.values())
        return msgspec.structs.replace(
            report, streams={**report.streams, **streams}, losses=report.losses + losses
        )

    def close(self) -> None:
        """The sockets are needed no more."""
        if self._folder is not None:
            self._folder.cleanup()
