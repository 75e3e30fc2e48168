"""An areaDetector over PV Access as a source: ``pva://PV``, a PV that is an NTNDArray.

What a client has missed the server does not send again: the ids between are missing.
"""

from __future__ import annotations

import logging
from typing import Any

import zmq
from p4p.client.thread import Cancelled, Context

from repstream.errors import MalformedMessage
from repstream.messages import ntndarray
from repstream.messages.std_daq_frame import refused_message
from repstream.parameters.source import SourceConfig
from repstream.sources.inbox import InboxSource, messages_for

log = logging.getLogger(__name__)

SCHEME = "pva://"
REQUEST = "record[queueSize=16]"
"""Images that the connection holds while this end is busy."""

ID_RANGE = 2**32
"""Of `uniqueId`, whose upper half reads as negative."""


def open_source(
    config: SourceConfig, context: zmq.Context[zmq.Socket[bytes]], expected: int = 0
) -> PvaSource:
    """See `opening.Opener`."""
    return PvaSource(config.address.removeprefix(SCHEME), messages_for(config, expected))


class PvaSource(InboxSource):
    """The images of one PV in the order of their coming; fills `Source`.

    The first value of a connection is what was there before, and is left out. Where the server numbers
    nothing (`uniqueId` stays 0) images are counted here. A camera that vanishes may come back.
    """

    def __init__(self, name: str, most: int) -> None:
        self._name = name
        super().__init__(most)
        self.connected = False
        self._problem = (
            f"no PV {name} answers; is that its name, and does EPICS_PVA_ADDR_LIST reach its server?"
        )
        self._first = True
        self._last: int | None = None
        self._counted = 0
        self._context = Context("pva", nt=False)
        self._monitor = self._context.monitor(name, self._take, request=REQUEST, notify_disconnect=True)

    @property
    def problem(self) -> str:
        return "" if self.connected else self._problem

    def update(self) -> None:
        """p4p follows the server by itself."""

    def close(self) -> None:
        self._monitor.close()
        self._context.close()
        self._inbox.close()

    def _take(self, value: Any) -> None:
        """Called from p4p's thread, one at a time."""
        if isinstance(value, Exception):
            if not isinstance(value, Cancelled) and self.connected:
                self._problem = f"{self._name} has disconnected; its images are taken again when it is back"
                log.warning("%s", self._problem)
            self.connected, self._first = False, True
            return
        if value.getID() != ntndarray.ID:
            self._problem = (
                f"{self._name} is {value.getID()}, not an NTNDArray; the image of areaDetector is its "
                "plugin's, such as 13SIM1:Pva1:Image"
            )
            return
        self.connected = True
        first, self._first = self._first, False
        if not first:
            self._inbox_put(value)

    def _inbox_put(self, value: Any) -> None:
        try:
            image = ntndarray.image_of(value)
            if image is None:
                return
            frame_id = self._id(value["uniqueId"])
            self._inbox.put(ntndarray.message_of(frame_id, image, ntndarray.numbers_of(value)))
        except (MalformedMessage, ValueError) as error:
            self._inbox.put(refused_message(str(error)))

    def _id(self, unique: int) -> int:
        if unique == 0 and self._last == 0:
            self._counted += 1
            return self._counted
        self._last, self._counted = unique, 0
        return unique % ID_RANGE
