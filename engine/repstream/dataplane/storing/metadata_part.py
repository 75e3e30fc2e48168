"""What a service does that writes the metadata of an acquisition: orders come through a pipe."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import suppress
from multiprocessing.connection import Connection

import numpy as np

from repstream.dataplane.storing import part_messages as messages
from repstream.dataplane.storing.metadata_file import OwnMetadataFile
from repstream.errors import StorageError
from repstream.files.plan import Scalar
from repstream.files.row_file import RowFile

log = logging.getLogger(__name__)


def write_metadata(pipe: Connection) -> None:
    """Write one file, until the order to finish or the end of the data plane."""
    part: MetadataPart | None = None
    try:
        part = MetadataPart(messages.receive_start(pipe))
        messages.send(pipe, messages.Done(0))
        while not part.finished:
            messages.send(pipe, messages.Done(part.follow(messages.receive_order(pipe))))
    except (EOFError, OSError):
        _close(part, {})
    except StorageError as error:
        _close(part, {"outcome": "failed", "message": f"ERROR:{error}"})
        with suppress(OSError):
            messages.send(pipe, messages.Failed(str(error)))


class MetadataPart:
    """The file and what is ordered about it. Raises StorageError."""

    def __init__(self, start: messages.Start) -> None:
        self.finished = False
        self._waiting = OwnMetadataFile(start.plan)
        self._file: RowFile | None = None

    def follow(self, order: messages.Order) -> int:
        """Do what is ordered; the size of the file then, in bytes."""
        file = self._file
        match order:
            case messages.Begin():
                self._file = self._waiting.begin(order.kind, order.axes)
            case messages.AddRows():
                assert file is not None
                file.append(np.frombuffer(order.data, file.row_dtype))
            case messages.Sync() if file is not None:
                file.sync()
            case messages.Look():
                (file or self._waiting).check_in_place()
            case messages.Finish():
                self.finish(order.results)
        return file.nbytes if file is not None else 0

    def finish(self, results: Mapping[str, Scalar]) -> None:
        """Enter the results and close."""
        self.finished = True
        (self._file or self._waiting).finish(results)


def _close(part: MetadataPart | None, results: Mapping[str, Scalar]) -> None:
    if part is not None and not part.finished:
        with suppress(StorageError, OSError):
            part.finish(results)
