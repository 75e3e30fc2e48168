"""The loop of the pictures' process: hears streams, counts, and serves those who look."""

from __future__ import annotations

import logging
import time
from functools import partial
from multiprocessing.connection import Connection

import zmq

from repstream.parameters import storage
from repstream.parameters.configuration import Configuration
from repstream.parameters.facts import Value
from repstream.pictures import control
from repstream.pictures.endpoint import Endpoint, endpoint
from repstream.pictures.missed import Missed
from repstream.pictures.server import PictureServer
from repstream.pictures.slot import Slot
from repstream.pictures.stream_input import Arrival, Heard, StreamInput

log = logging.getLogger(__name__)

BEAT = 0.5
"""Seconds between two signs of life, which also carry the age of the images."""

QUIET = 0.2
"""Seconds without an image after which a stream may have left out its last one."""

SETTLE = 0.02
"""Seconds between two looks whether all images of an opening have come."""


class Loop:
    """Takes what the service says from `pipe`; `run` returns when that ends.

    Raises `zmq.ZMQError` where `address` cannot be bound.
    """

    def __init__(self, pipe: Connection, address: str, model: type[Configuration] = Configuration) -> None:
        self._pipe = pipe
        self._model = model
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._server = PictureServer(self._context, address)
        self._slots: dict[int, Slot] = {}
        self._missed = Missed(self._context)
        self._inputs: dict[Heard, StreamInput] = {}
        self._heard: dict[int, Heard | None] = {}
        self._generation = 0
        self._beat = self._look = 0.0
        self._poller = zmq.Poller()
        self._poller.register(pipe.fileno(), zmq.POLLIN)
        self._poller.register(self._server.socket, zmq.POLLIN)
        self._poller.register(self._missed.socket, zmq.POLLIN)

    def run(self) -> None:
        """Until the service hangs up."""
        try:
            control.notices.send(self._pipe, control.Ready(self._server.address))
            while True:
                self._turn()
        except (EOFError, OSError):
            log.debug("the service has gone")
        finally:
            for stream in self._inputs.values():
                stream.close()
            self._missed.close()
            self._server.close()
            self._context.destroy(linger=0)

    def _turn(self) -> None:
        events = dict(self._poller.poll(round(1000 * self._patience())))
        if self._pipe.fileno() in events:
            self._take(control.requests.receive(self._pipe))
        self._server.receive()
        for stream in self._inputs.values():
            stream.receive(partial(self._integrate, stream))
        for name, number, parts in self._missed.answers():
            for stream in self._inputs.values():
                if stream.name == name:
                    stream.take_last(number, parts)
        now = time.monotonic()
        for slot in self._slots.values():
            self._tend(slot, now)
            self._settle(slot)
        if now >= self._look:
            self._look = now + QUIET
            for stream in self._inputs.values():
                if stream.is_quiet():
                    self._missed.ask(stream.name, stream.last)
        if now >= self._beat:
            self._beat = now + BEAT
            self._server.asks.purge(now)
            self._tell_status(now)
            control.notices.send(self._pipe, control.Beat())

    def _patience(self) -> float:
        """Seconds until something is due."""
        now = time.monotonic()
        waits = [self._beat - now, self._look - now]
        for slot in self._slots.values():
            if slot.gate.is_waited_for:
                waits.append(SETTLE)
            stream = self._input_of(slot)
            if stream is None or not self._is_counted(slot, now):
                continue
            if (wait := slot.due(stream.newest, now)) is not None:
                waits.append(wait)
        return max(0.0, min(waits))

    def _tend(self, slot: Slot, now: float) -> None:
        """Count the newest image of one slot, if it is due, and answer who asks."""
        stream = self._input_of(slot)
        if stream is not None and self._is_counted(slot, now):
            arrival = stream.newest
            if arrival is not None and slot.due(arrival, now) == 0:
                slot.take(arrival, now)
                self._tell(slot, now)
        if slot.number:
            for view, clients in self._server.asks.answerable(slot.slot, slot.number, now).items():
                self._server.send(clients, slot.picture(view))
        self._want(stream)

    def _is_counted(self, slot: Slot, now: float) -> bool:
        """Whether the images of a slot are counted now."""
        return slot.config.enable or self._server.asks.looks(slot.slot, now)

    def _integrate(self, stream: StreamInput, arrival: Arrival) -> None:
        """Count an image for the gates of the writers that slots follow."""
        for slot in self._slots.values():
            if slot.config.gate_writer and self._input_of(slot) is stream:
                slot.integrate(arrival, stream.caught_up)

    def _settle(self, slot: Slot) -> None:
        """Report what was counted in openings that are over."""
        stream = self._input_of(slot)
        now = time.monotonic()
        while slot.gate.ends(slot.config, now, now if stream is None else stream.caught_up):
            self._send(slot, slot.gate.fields)

    def _want(self, stream: StreamInput | None) -> None:
        """Have a stream sent as long as one of its slots is looked at, or counts always."""
        if stream is None:
            return
        now = time.monotonic()
        stream.want(
            any(
                slot.config.gate_writer or self._is_counted(slot, now)
                for slot in self._slots.values()
                if self._input_of(slot) is stream
            )
        )

    def _take(self, request: control.Request) -> None:
        if isinstance(request, control.Follow):
            self._follow(request)
            return
        if isinstance(request, control.LastFrames):
            self._missed.connect(request.address)
            return
        for slot in self._slots.values():
            followed = slot.config.gate_writer == request.writer
            if followed and slot.gate.begins(request.acquisition_id, request.opening):
                self._send(slot, slot.gate.fields)

    def _follow(self, request: control.Follow) -> None:
        """Take a configuration: streams are heard anew only where they changed."""
        self._generation = request.generation
        configuration = storage.parse(request.configuration, "pictures", self._model)
        for name, config in configuration.pictures.items():
            number = int(name)
            found = endpoint(configuration, config.stream) if config.stream else Endpoint()
            self._heard[number] = (
                Heard(
                    config.stream,
                    found.address,
                    found.key,
                    configuration.source.channel,
                    configuration.source.threshold,
                )
                if found.address
                else None
            )
            if number not in self._slots:
                self._slots[number] = Slot(number, config, found.reason)
            else:
                self._slots[number].configure(config, found.reason)
        self._listen()
        now = time.monotonic()
        for slot in self._slots.values():
            self._tell(slot, now)

    def _listen(self) -> None:
        """Open the streams that are to be heard, and close all others."""
        heard = {key for key in self._heard.values() if key is not None}
        for key in self._inputs.keys() - heard:
            stream = self._inputs.pop(key)
            self._poller.unregister(stream.socket)
            stream.close()
        for key in heard - self._inputs.keys():
            stream = self._inputs[key] = StreamInput(self._context, key)
            self._poller.register(stream.socket, zmq.POLLIN)

    def _input_of(self, slot: Slot) -> StreamInput | None:
        key = self._heard[slot.slot]
        return None if key is None else self._inputs[key]

    def _tell(self, slot: Slot, now: float) -> None:
        """Report all of one slot to the service, together."""
        self._send(slot, {**self._status(slot, now), **slot.results()})

    def _tell_status(self, now: float) -> None:
        for slot in self._slots.values():
            self._send(slot, self._status(slot, now))

    def _status(self, slot: Slot, now: float) -> dict[str, Value]:
        stream = self._input_of(slot)
        return slot.status(now, 0 if stream is None else stream.malformed)

    def _send(self, slot: Slot, fields: dict[str, Value]) -> None:
        control.notices.send(self._pipe, control.Numbers(self._generation, slot.slot, fields))


def configured(configuration: Configuration) -> bool:
    """Whether any picture has a stream, so that this process is needed."""
    return any(picture.stream for picture in configuration.pictures.values())
