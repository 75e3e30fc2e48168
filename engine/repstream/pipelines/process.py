"""The process of one instance, from its specification to its end."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections import deque
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import zmq

from repstream.dataplane.outbox import Outbox
from repstream.errors import PortTakenError, ProcessingError, Refused, StorageError
from repstream.logs import log_to_stderr
from repstream.parameters.pipeline import PipelineSettings
from repstream.pipelines import control
from repstream.pipelines.camera import CameraJob
from repstream.pipelines.configurations import settings as settings_of
from repstream.pipelines.control import Input, LogRecord, Notice, Specification, Wanted
from repstream.pipelines.encryption import check_keys
from repstream.pipelines.feed import Feed, opener, wanted_by
from repstream.pipelines.job import Job
from repstream.pipelines.loop import Loop, ending
from repstream.pipelines.output import open_output
from repstream.pipelines.pipeline import PipelineJob, pipeline_settings
from repstream.pipelines.second_input import open_second

log = logging.getLogger(__name__)

MOST_LINES = 200
"""Lines of the log that wait to be handed to the registry."""

IO_THREADS = 2
"""One may receive while the other sends, as in the data plane."""

FAILED = 1
"""Exit code of an instance that ends for a reason."""


def run(pipe: Connection, specification: Specification) -> int:
    """Be the instance until its end; the exit code."""
    log_to_stderr()
    lines = Lines()
    logging.getLogger().addHandler(lines)
    with suppress(OSError):
        Path("/proc/self/comm").write_text(f"repstream-{specification.kind[:5]}")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    outbox: Outbox[Notice] = Outbox(pipe, control.notices.send)
    failure: Exception | None = None
    try:
        _live(pipe, outbox, specification, lines)
    except (Refused, PortTakenError, ProcessingError, StorageError) as error:
        log.error("%s", error)
        failure = error
    except Exception as error:
        log.exception("a fault of repstream ends this instance")
        failure = error
    with suppress(OSError, ValueError):
        pipe_end(pipe, [*map(control.Logged, lines.take()), ending(failure)])
    return 0 if failure is None else FAILED


def pipe_end(pipe: Connection, notices: Iterable[Notice]) -> None:
    """Send the last notices; whoever hears them waits for the end, so this may wait for the pipe."""
    for notice in notices:
        control.notices.send(pipe, notice)
    pipe.close()


def _live(pipe: Connection, outbox: Outbox[Notice], specification: Specification, lines: Lines) -> None:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context(IO_THREADS)
    job: Job | None = None
    settings = settings_of(specification.kind, specification.configuration)
    try:
        check_keys(settings)
        connect_to = _target(pipe, outbox, settings)
        # Opened first: it is what tells soonest that the instance cannot be.
        output = open_output(settings, specification.port, context, connect_to, specification.folders)
        try:
            job = _open_job(pipe, outbox, specification, context)
        except BaseException:
            output.close(0)
            raise
        loop = Loop(
            pipe,
            outbox,
            job=job,
            output=output,
            log_lines=lines.take,
        )
        signal.signal(signal.SIGTERM, lambda *_: loop.stop())
        loop.run()
    finally:
        if job is not None:
            job.close()
        context.term()


def _open_job(pipe: Connection, outbox: Outbox[Notice], specification: Specification, context: Any) -> Job:
    name, configuration, folders = specification.name, specification.configuration, specification.folders
    if specification.kind == "camera":
        return CameraJob(name, configuration, context, folders)
    settings = pipeline_settings(configuration)
    wanted = wanted_by(settings)
    address = settings.input_stream or ""
    if specification.input_port:
        address = f"tcp://*:{specification.input_port}"
    if wanted is not None:
        address = _asked(pipe, outbox, wanted)
    with ExitStack() as failed:
        feed = Feed(opener(settings, context), address, wanted, outbox.put) if address else None
        if feed is not None:
            failed.callback(feed.close)
        second = open_second(settings, context)
        if second is not None:
            failed.callback(second.feed.close)
        job = PipelineJob(configuration, feed, folders, second)
        failed.pop_all()
        return job


def _target(pipe: Connection, outbox: Outbox[Notice], settings: Any) -> str:
    """Where the output connects to; empty where it binds."""
    if not isinstance(settings, PipelineSettings):
        return ""
    if settings.output_pipeline:
        return _asked(pipe, outbox, Wanted("pipeline", settings.output_pipeline, entrance=True))
    return settings.output_stream or ""


def _asked(pipe: Connection, outbox: Outbox[Notice], wanted: Wanted) -> str:
    """The address that the registry answers with; raises `Refused` with its reason where there is none."""
    outbox.put(wanted)
    while True:
        try:
            request = control.requests.receive(pipe)
        except EOFError:
            raise Refused(wanted.name, "the server has gone") from None
        if isinstance(request, Input):
            if request.reason:
                raise Refused(wanted.name, request.reason)
            return request.address
        if isinstance(request, control.Stop):
            raise Refused(wanted.name, "stopped before it ran")


class Lines(logging.Handler):
    """The newest lines of the log, for the registry."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self._waiting: deque[LogRecord] = deque(maxlen=MOST_LINES)

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if record.exc_info:
            text += "\n" + logging.Formatter().formatException(record.exc_info)
        self._waiting.append(LogRecord(record.created, record.name, record.levelname, text))

    def take(self) -> list[LogRecord]:
        """What came since the last time."""
        taken = []
        while self._waiting:
            taken.append(self._waiting.popleft())
        return taken


def main(descriptor: int, specification: Specification) -> None:
    """Be the instance in a process that was forked for it, which ends here."""
    code = FAILED
    try:
        code = run(Connection(descriptor), specification)
    finally:
        logging.shutdown()
        sys.stderr.flush()
        os._exit(code)
