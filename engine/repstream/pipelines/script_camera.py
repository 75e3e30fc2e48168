"""A camera that a user wrote: a class in a script, run by a process of its own."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np

from repstream.errors import FunctionError, InvalidValue
from repstream.messages.ntndarray import message_of, time_of
from repstream.processing.user_function import Limits, UserFunction
from repstream.sources.made import MadeSource
from repstream.sources.simulation import Pace

log = logging.getLogger(__name__)

AGAIN = 1.0
"""Seconds until a class that has failed is made anew."""


class ScriptSource(MadeSource):
    """The images of the class called as its file, with connect, disconnect, read and get_raw_geometry.

    `read` gives an image, or image, time (s) and pulse id; None where there is none now. What fails, hangs or
    ends its process is said with the line of the script, and begun anew. Raises `InvalidValue` for a script
    that cannot be loaded.
    """

    def __init__(self, path: Path, configuration: Mapping[str, Any], rate: float, limits: Limits) -> None:
        self._configuration = configuration
        self._rate = rate
        self._function = UserFunction(path, "camera", limits)
        try:
            self._function.start()
        except FunctionError as error:
            raise InvalidValue("class", str(error)) from error
        stop = Event()
        super().__init__(self._images(stop), stop)

    def _images(self, stop: Event) -> Iterator[Sequence[Any]]:
        pace = Pace(self._rate)
        try:
            for number in itertools.count():
                message = self._read(number)
                if message is not None:
                    yield message
                elif stop.wait(AGAIN if self.problem else 0.01):
                    return
                pace.wait(stop)
        finally:
            self._function.close()

    def _read(self, number: int) -> Sequence[Any] | None:
        try:
            made = self._function.make(self._configuration, False)
        except FunctionError as error:
            self.problem = str(error)
            log.warning("%s", error)
            self._function.close()
            return None
        self.problem = ""
        if made is None:
            return None
        made = made.completed(number)
        return message_of(made.pulse_id, np.asarray(made.channels["image"]), time_of(*made.timestamp))
