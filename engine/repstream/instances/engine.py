"""A camera or a pipeline as an `Engine`: what every front end shows and operates.

It belongs to a name, not to a process: it is there before the instance is started and after that has ended,
so PVs and attributes need not come and go.
"""

from __future__ import annotations

import itertools
import json
import logging
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from pydantic import ValidationError

from repstream.errors import (
    ChildError,
    EngineFault,
    InstanceEnded,
    InvalidValue,
    PortTakenError,
    Refused,
    RepstreamError,
    UnknownInstance,
    unknown_key,
)
from repstream.instances.description import Configuration, InstanceInfo, Kind
from repstream.instances.protocol import Registry
from repstream.link.handles import PendingHandle
from repstream.link.publisher import Publisher, Registration
from repstream.parameters import instance
from repstream.parameters.beam_alarms import with_alarms
from repstream.parameters.catalogue import Catalogue, Group, build, key_of
from repstream.parameters.complaints import complaint
from repstream.parameters.facts import Section, Status, Value
from repstream.parameters.instance import (
    BEAM,
    CAMERA,
    CAMERA_GROUPS,
    PIPELINE,
    PIPELINE_GROUPS,
    STREAM,
    BeamStatus,
    CameraControls,
    InstanceStatus,
    PipelineControls,
    StreamStatus,
)
from repstream.parameters.pipeline import PipelineSettings
from repstream.pipelines.configurations import settings
from repstream.protocol import Event, Reading, Requester, Snapshot
from repstream.service.board import Board
from repstream.states import RepeaterState

log = logging.getLogger(__name__)

LOSING_TIME = 5.0
"""Seconds for which a loss shows in the state."""

MB, MIB = 1e6, 2**20


def catalogue_of(kind: Kind, configuration: Configuration) -> Catalogue:
    """The catalogue of a camera or a pipeline; a pipeline's has the alarm levels of its configuration.

    One that is wrong gives no levels of its own; a start says what is wrong.
    """
    found = build(CAMERA_GROUPS if kind == "camera" else PIPELINE_GROUPS)
    with suppress(InvalidValue):
        checked = settings(kind, configuration)
        if isinstance(checked, PipelineSettings):
            return with_alarms(found, checked.alarms)
    return found


class InstanceEngine:
    """The instance of this name in a registry; fills `protocol.Engine`. `close` it after use.

    `saved` gives the configuration that it is started with; it may raise `Refused`. The alarm levels
    are those that it has now, since front ends show them once and for all; see `has_other_levels`.
    """

    def __init__(self, instances: Registry, name: str, saved: Callable[[], Configuration]) -> None:
        self._instances = instances
        self._name = name
        self._saved = saved
        self._group, self._controls = _settings(instances.kind)
        self.catalogue = self._catalogue()
        self._board = Board(self.catalogue, uuid.uuid4().hex, time.time())
        self._publisher = Publisher(name)
        self._publishing = threading.Lock()
        self._handles = itertools.count(1)
        self._lost, self._lost_at = 0, 0.0
        self._publisher.start()
        self._leave = instances.follow(name, self.update)
        self.update()

    def snapshot(self) -> Snapshot:
        return self._board.snapshot()

    def read(self, key: str) -> Reading:
        reading = self._board.reading(key)
        if reading is None:
            raise unknown_key(key, "parameter", self.catalogue.parameters)
        return reading

    def write(self, values: Mapping[str, Value], requester: Requester) -> None:
        change: dict[str, Value] = {}
        for key, value in values.items():
            parameter = self.catalogue.parameters.get(key)
            if parameter is None:
                raise unknown_key(key, "parameter", self.catalogue.parameters)
            if not parameter.writable:
                raise Refused(key, "is read-only")
            change[parameter.field] = value
        held = instance.controls(self._controls, self._configuration())
        try:
            self._controls.model_validate({**held, **change})
        except ValidationError as error:
            raise InvalidValue(next(iter(values)), complaint(error, self._controls)) from None
        self._reconfigure(next(iter(values), self._name), change)

    def execute(self, command: str, argument: Value, requester: Requester) -> PendingHandle:
        if command not in self.catalogue.commands:
            raise unknown_key(command, "command", self.catalogue.commands)
        log.info("%s by %s", command, requester)
        handle = PendingHandle(f"{self._name}-{next(self._handles)}", command)
        try:
            self._do(command, argument)
        except InstanceEnded as error:
            raise EngineFault(command, error.reason) from error
        except (ChildError, PortTakenError) as error:
            raise Refused(command, str(error)) from error
        finally:
            self.update()
        with self._publishing:
            completion = self._board.completion(
                handle.handle_id, command, True, "", time=time.time(), result="", of=""
            )
            self._publisher.publish(completion)
        handle.finish(completion)
        return handle

    def subscribe(self, callback: Callable[[Event], None]) -> Registration:
        return self._publisher.subscribe(callback)

    def has_other_levels(self) -> bool:
        """Whether other alarm levels are saved than those that it shows: another engine would show them."""
        return self._catalogue() != self.catalogue

    def close(self) -> None:
        """Follow the instance no longer; it goes on."""
        self._leave()
        self._publisher.close()

    def update(self) -> None:
        """Publish what has changed."""
        values = self._values()
        with self._publishing:
            self._publisher.publish(self._board.put(values, time.time()))

    def _do(self, command: str, argument: Value) -> None:
        match self.catalogue.commands[command].name:
            case "start":
                self._instances.ensure(self._name, self._saved())
            case "stop":
                self._instances.stop(self._name)
            case "configure":
                self._reconfigure(command, _keys(command, argument))

    def _reconfigure(self, subject: str, change: Configuration) -> None:
        try:
            self._instances.reconfigure(self._name, change)
        except UnknownInstance:
            states = (RepeaterState.RUNNING.value,)
            raise Refused(subject, f"{self._name} does not run: start it first", states) from None
        self.update()

    def _catalogue(self) -> Catalogue:
        saved: Configuration = {}
        with suppress(RepstreamError):
            saved = self._saved()
        return catalogue_of(self._instances.kind, saved)

    def _configuration(self) -> Configuration:
        with suppress(UnknownInstance):
            return self._instances.get(self._name).config
        with suppress(RepstreamError):
            return self._saved()
        return {}

    def _values(self) -> dict[str, Value]:
        try:
            info: InstanceInfo | None = self._instances.get(self._name)
        except UnknownInstance:
            info = None
        configuration = self._configuration()
        values = self._shown(Group.ENGINE, self._engine(info, configuration))
        values |= self._shown(STREAM, _stream(info))
        controls = instance.controls(self._controls, configuration)
        values |= {key_of(self._group, 0, field): value for field, value in controls.items()}
        if self._instances.kind == "pipeline":
            values |= self._shown(BEAM, BeamStatus.model_validate(self._instances.beam(self._name)))
        return values

    def _engine(self, info: InstanceInfo | None, configuration: Configuration) -> InstanceStatus:
        status = InstanceStatus(name=self._name, config=json.dumps(configuration))
        if info is None:
            with suppress(UnknownInstance):
                status.last_error = self._instances.message(self._name)
            status.state = RepeaterState.ERROR if status.last_error else RepeaterState.STOPPED
            status.status = status.last_error or "It does not run; it starts when it is asked for."
            return status
        figures = info.statistics
        lost = sum(figures.lost.values())
        if lost > self._lost:
            self._lost_at = time.monotonic()
        self._lost = lost
        status.state = RepeaterState.RUNNING
        status.losing = self._lost_at > 0 and time.monotonic() - self._lost_at < LOSING_TIME
        status.last_error = info.message
        status.status = info.message or f"Sends to {figures.clients} clients at {info.stream_address}."
        status.process_id = figures.process_id
        status.cpu, status.memory = round(figures.cpu, 1), round(figures.memory / MIB, 1)
        return status

    def _shown(self, group: str, status: Status) -> dict[str, Value]:
        return {key_of(group, 0, field): value for field, value in status.values().items()}


def _settings(kind: Kind) -> tuple[str, type[Section]]:
    return (CAMERA, CameraControls) if kind == "camera" else (PIPELINE, PipelineControls)


def _stream(info: InstanceInfo | None) -> StreamStatus:
    if info is None:
        return StreamStatus()
    figures = info.statistics
    width, height, _ = figures.frame_shape or (None, None, None)
    return StreamStatus(
        address=info.stream_address,
        curve_key=info.place.key,
        denied=figures.denied,
        clients=figures.clients + (figures.more_clients or 0),
        received=figures.rx_count,
        receive_rate=round(figures.rx_rate, 2),
        throughput=round(figures.throughput / MB, 3),
        sent=figures.tx_count,
        send_rate=round(figures.tx_rate, 2),
        lost=sum(figures.lost.values()),
        lost_reasons=", ".join(f"{reason}: {number}" for reason, number in sorted(figures.lost.items())),
        skipped=sum(figures.skipped.values()),
        pulse_id=figures.pulse_id,
        width=width,
        height=height,
    )


def _keys(command: str, argument: Value) -> dict[str, Any]:
    try:
        found = json.loads(str(argument))
    except ValueError as error:
        raise InvalidValue(command, f"{argument!r:.200} is no JSON: {error}") from None
    if not isinstance(found, dict):
        raise InvalidValue(command, f"{argument!r:.200} is no JSON object")
    return found
