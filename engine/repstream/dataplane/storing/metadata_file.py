"""The file of the metadata of an acquisition in parts: written here, or by a service."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from repstream.dataplane.control import AcquisitionPlan
from repstream.dataplane.storing import part_messages as messages
from repstream.dataplane.storing.image_kind import Kind, own_members, placeholder_of
from repstream.dataplane.storing.partners import Partner
from repstream.errors import StorageError
from repstream.files.goniometer import Axis
from repstream.files.interleaved import Rows
from repstream.files.plan import Scalar
from repstream.files.row_file import RowFile


class MetadataFile(Protocol):
    """A file that waits for its first row; after `begin` that which it returns takes its place."""

    def begin(self, kind: Kind, axes: tuple[Axis, ...]) -> Rows: ...
    def check_in_place(self) -> None: ...
    def finish(self, results: Mapping[str, Scalar]) -> None: ...
    def close(self) -> None: ...


class OwnMetadataFile:
    """Written in this process. Raises StorageError."""

    def __init__(self, plan: AcquisitionPlan) -> None:
        self._plan = plan
        self._waiting = placeholder_of(plan)

    def begin(self, kind: Kind, axes: tuple[Axis, ...]) -> RowFile:
        members = (*kind.row_members, *own_members(self._plan, kind.channels))
        waiting = self._waiting
        plan = waiting.plan_of(kind.shape, kind.pixel_type, members, kind.compression, detector=None)
        file = RowFile(replace(plan, axes=axes), waiting.state)
        waiting.discard()
        return file

    def check_in_place(self) -> None:
        self._waiting.check_in_place()

    def finish(self, results: Mapping[str, Scalar]) -> None:
        self._waiting.finish(results)

    def close(self) -> None:
        self._waiting.close()


class ServedMetadataFile:
    """Written by a service; each call returns when that has done it. Raises StorageError."""

    def __init__(self, plan: AcquisitionPlan, partner: Partner) -> None:
        self.path = Path(plan.path)
        self.count = 0
        self.nbytes = 0
        self._partner = partner
        self._ask(messages.Start(plan))

    def begin(self, kind: Kind, axes: tuple[Axis, ...]) -> ServedMetadataFile:
        self._ask(messages.Begin(kind, axes))
        return self

    def append(self, rows: np.ndarray[Any, Any]) -> None:
        self._ask(messages.AddRows(rows.tobytes()))
        self.count += len(rows)

    def sync(self) -> None:
        self._ask(messages.Sync())

    def check_in_place(self) -> None:
        self._ask(messages.Look())

    def finish(self, results: Mapping[str, Scalar]) -> None:
        try:
            self._ask(messages.Finish(dict(results)))
        finally:
            self.close()

    def close(self) -> None:
        self._partner.close(self.path)

    def _ask(self, order: messages.Start | messages.Order) -> None:
        pipe = self._partner.pipe
        try:
            messages.send(pipe, order)
            answer = messages.receive_answer(pipe)
        except (EOFError, OSError):
            raise StorageError(self._partner.why_ended(self.path)) from None
        if isinstance(answer, messages.Failed):
            raise StorageError(answer.reason)
        assert isinstance(answer, messages.Done)
        self.nbytes = answer.nbytes
