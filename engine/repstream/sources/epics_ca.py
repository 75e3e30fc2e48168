"""Cameras over Channel Access as sources: areaDetector's ``image1:`` and cam_server's convention.

An array, its sizes and its id are PVs of their own. Where a camera has no ids, or none of areaDetector's,
images are numbered by their arrival: what Channel Access leaves out for a slow client cannot be seen then.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import zmq
from caproto import ChannelType
from caproto.threading.client import Context

from repstream.errors import Refused
from repstream.messages.ntndarray import message_of, time_of
from repstream.messages.std_daq_frame import refused_message
from repstream.parameters.source import SourceConfig
from repstream.sources.inbox import InboxSource, messages_for
from repstream.sources.unique_ids import Numbered, UniqueIds

log = logging.getLogger(__name__)

_Taken = tuple[np.ndarray[Any, Any], dict[str, int | float | bool]]
"""An image and its time."""


@dataclass(frozen=True)
class Convention:
    """What the PVs of a camera are called behind its name; `ready`: a PV and what it reads then.

    `unique`: the id of the newest image, which not every server has.
    """

    image: str
    width: str
    height: str
    ready: tuple[str, str] | None = None
    unique: str = ""

    def names(self, prefix: str) -> list[str]:
        those = [self.image, self.width, self.height, *([self.ready[0]] if self.ready else [])]
        return [prefix + name for name in those]


CONVENTIONS = {
    "ca": Convention(
        "image1:ArrayData",
        "image1:ArraySize0_RBV",
        "image1:ArraySize1_RBV",
        unique="image1:UniqueId_RBV",
    ),
    "cam": Convention(":FPICTURE", ":WIDTH", ":HEIGHT", (":INIT", "INIT")),
}
"""By the scheme of the address: areaDetector, and cam_server's cameras."""


def open_source(config: SourceConfig, context: zmq.Context[zmq.Socket[bytes]], expected: int = 0) -> CaSource:
    """See `opening.Opener`."""
    scheme, _, prefix = config.address.partition("://")
    return CaSource(prefix, CONVENTIONS[scheme], messages_for(config, expected))


def read_text(name: str, timeout: float = 3.0) -> str:
    """The text that a PV has now. Raises `Refused` where none answers."""
    client = Context()
    try:
        (pv,) = client.get_pvs(name)
        pv.wait_for_connection(timeout=timeout)
        return str(_single(pv.read(data_type=ChannelType.STRING, timeout=timeout).data))
    except TimeoutError:
        raise Refused("source", f"no PV {name} answers") from None
    finally:
        client.disconnect()


class CaSource(InboxSource):
    """The images of one camera in the order of their coming, with their ids if it has them; fills `Source`.

    The first array of a connection is what was there before, and is left out. A camera that vanishes may
    come back.
    """

    def __init__(self, prefix: str, convention: Convention, most: int) -> None:
        self._names = convention.names(prefix)
        self._ready = convention.ready
        super().__init__(most)
        self._held: dict[str, Any] = {}
        self._ids: UniqueIds[_Taken] = UniqueIds(False)
        self._first = True
        self._is_decided = False
        self._lock = threading.Lock()
        self._context = Context()
        self._pvs = self._context.get_pvs(*self._names)
        self._subscriptions = []
        # caproto refers weakly to what it calls back.
        self._callback = self._take
        for pv in reversed(self._pvs):  # sizes before the array
            is_ready = self._ready is not None and pv is self._pvs[3]
            subscription = pv.subscribe(data_type=ChannelType.TIME_STRING if is_ready else "time")
            subscription.add_callback(self._callback)
            self._subscriptions.append(subscription)
        self._id_pv: Any = None
        self._id_callback = self._take_id
        if convention.unique:
            (self._id_pv,) = self._context.get_pvs(prefix + convention.unique)
            subscription = self._id_pv.subscribe(data_type="time")
            subscription.add_callback(self._id_callback)
            self._subscriptions.append(subscription)

    @property
    def connected(self) -> bool:
        return not self.problem

    @property
    def problem(self) -> str:
        return self.offline or (f"{self._names[0]} has sent nothing yet" if self._first else "")

    @property
    def offline(self) -> str:
        """Why the camera is not there or not ready; empty also where it has sent nothing yet."""
        absent = [name for name, pv in zip(self._names, self._pvs, strict=True) if not pv.connected]
        if absent:
            return (
                f"no PV {absent[0]} answers; is the camera's name right, and does EPICS_CA_ADDR_LIST reach "
                "its server?"
            )
        if self._ready is not None and (said := self._held.get(self._names[3])) != self._ready[1]:
            return f"{self._names[3]} reads {said}, not {self._ready[1]}: the camera is not ready"
        return ""

    def update(self) -> None:
        """Notice a camera that is gone: what it shows first when it is back is not new."""
        self._first = self._first or not self._pvs[0].connected
        with self._lock:
            self._hand_on(self._ids.late(time.monotonic()))

    def close(self) -> None:
        self._context.disconnect()
        self._inbox.close()

    def _take(self, subscription: Any, response: Any) -> None:
        """Called from caproto's thread."""
        name = subscription.pv.name
        if name != self._names[0]:
            self._held[name] = _single(response.data)
            return
        first, self._first = self._first, False
        if first:
            self._is_decided = False
            return
        height, width = (int(self._held.get(size) or 0) for size in (self._names[2], self._names[1]))
        pixels = np.asarray(response.data)
        if not height * width:
            return
        if len(pixels) < height * width:
            text = f"{name} has {len(pixels)} pixels, {width} x {height} takes {height * width}"
            self._inbox.put(refused_message(text))
            return
        image = pixels[: height * width].reshape(height, width)
        stamp = response.metadata.timestamp
        numbers = time_of(int(stamp), int(stamp % 1 * 1e9))
        with self._lock:
            if not self._is_decided:  # not sooner: the PV of the ids may be connected after that of the array
                self._is_decided = True
                self._ids = UniqueIds(self._has_ids(), self._ids.following)
            self._hand_on(self._ids.image(float(stamp), (image, numbers), time.monotonic()))

    def _take_id(self, subscription: Any, response: Any) -> None:
        """Called from caproto's thread."""
        with self._lock:
            self._hand_on(self._ids.unique_id(float(response.metadata.timestamp), int(response.data[0])))

    def _has_ids(self) -> bool:
        return self._id_pv is not None and bool(self._id_pv.connected)

    def _hand_on(self, images: Iterable[Numbered[_Taken]]) -> None:
        """Called by one thread at a time, so that images stay in order."""
        for number, (image, numbers) in images:
            self._inbox.put(message_of(number, image, numbers))


def _single(data: Any) -> Any:
    """The value of a PV that has one; text as such."""
    one = data[0]
    return one.decode("latin-1") if isinstance(one, bytes) else one
