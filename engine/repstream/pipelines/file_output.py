"""The output of mode FILE: each message a row of an HDF5 file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from repstream.errors import InvalidValue, Refused
from repstream.files.channel_file import ChannelWriter
from repstream.files.paths import check_target, resolve_roots
from repstream.messages import bsread
from repstream.parameters.pipeline import PipelineSettings
from repstream.pipelines.control import Folders

ANY_FOLDER = -100
"""As many folders as the path needs are made."""


class FileTransport:
    """Writes the messages of an output into a file; fills `Transport`.

    What is written is on its way to the disk when `send` returns, and can be read; `close` finishes the file.
    """

    room = None
    consumers = 0
    disconnects = 0

    def __init__(self, writer: ChannelWriter) -> None:
        self._writer = writer

    def send(self, parts: Sequence[Any]) -> bool:
        """Write one message; raises `StorageError`, after which no more can be written."""
        message = bsread.decode(parts)
        names = [channel.name for channel in message.header.channels]
        timestamp = message.timestamp or (0, 0)
        self._writer.write(message.pulse_id, timestamp, dict(zip(names, message.values, strict=True)))
        return True

    def update(self) -> None:
        """Nobody comes or goes."""

    def close(self, linger: float) -> None:
        self._writer.finish()


def open_file(settings: PipelineSettings, folders: Folders) -> FileTransport:
    """The file that a configuration names. Raises `InvalidValue` where it may not be made there."""
    if not settings.file:
        raise InvalidValue("file", "the mode FILE needs the path of a file")
    if folders.data is None:
        raise InvalidValue("file", "no folder is configured in which pipelines may write")
    try:
        (root,) = resolve_roots([str(folders.data.resolve())])
        target = check_target(root / settings.file, [root], create_directory=ANY_FOLDER)
    except Refused as error:
        raise InvalidValue("file", error.reason) from None
    target.parent.mkdir(parents=True, exist_ok=True)
    return FileTransport(
        ChannelWriter(Path(target), settings.layout, localtime=settings.localtime, change=settings.change)
    )
