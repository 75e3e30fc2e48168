"""Anything that clients, a dying and a stalling data plane can do, in any order, against a whole engine.

What is always so: a moment after the last request the service, its data plane and the frames agree; every
command that was taken ends; every file that was finished holds what was reported; and some command leads
back to RUNNING. `REPSTREAM_SOAK_STATES` sets how many minutes the long form takes (60).
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import zmq
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from repstream.errors import EngineFault, Refused, Unanswered
from repstream.link.handles import PendingHandle
from repstream.messages import array_1_0
from repstream.parameters.configuration import Configuration
from repstream.parameters.source import SourceConfig
from repstream.parameters.stream import StreamConfig
from repstream.parameters.writer import WriterConfig
from repstream.protocol import Change, Completion, Event, Requester
from repstream.service.options import ServiceOptions
from repstream.service.service import Service
from repstream.states import REPEATER, RepeaterState
from tests.ports import free_port
from tests.sockets import keeping_context

CLIENTS = [Requester("test", f"client {number}") for number in range(3)]
PATIENCE = 60.0
"""Seconds until what must come at last has come; the machine may be busy."""

MINUTES = float(os.environ.get("REPSTREAM_SOAK_STATES", "60"))
IMAGE = np.arange(30 * 40, dtype="uint16").reshape(30, 40)

ENGINE_COMMANDS = ["initialize", "start", "stop", "reset", "start"]
WRITER_COMMANDS = ["arm", "start", "stop", "abort", "flush", "start"]

Asked = Callable[[], Any]


class Detector(threading.Thread):
    """Sends images all the time, as fast as they are taken, at most 500 a second."""

    def __init__(self) -> None:
        super().__init__(name="detector", daemon=True)
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._socket = self._context.socket(zmq.PUSH)
        self._socket.set_hwm(10)
        self.address = f"tcp://127.0.0.1:{self._socket.bind_to_random_port('tcp://127.0.0.1')}"
        self._end = threading.Event()
        self.start()

    def run(self) -> None:
        number = 0
        while not self._end.wait(0.002):
            if self._socket.poll(50, zmq.POLLOUT):
                parts = array_1_0.encode(number, IMAGE)
                with suppress(zmq.Again):
                    self._socket.send_multipart([bytes(part) for part in parts], zmq.NOBLOCK)
                    number += 1

    def close(self) -> None:
        self._end.set()
        self.join(10)
        self._context.destroy(linger=0)


class SlowConsumer(threading.Thread):
    """Takes some 100 messages a second from a PUSH stream, so that every stop has something to drain."""

    def __init__(self, address: str) -> None:
        super().__init__(name="slow consumer", daemon=True)
        self._address = address
        self._end = threading.Event()
        self.start()

    def run(self) -> None:
        with keeping_context() as context, context.socket(zmq.PULL) as puller:
            puller.linger = 0
            puller.set_hwm(5)
            puller.connect(self._address)
            while not self._end.wait(0.01):
                if puller.poll(50):
                    puller.recv_multipart()

    def close(self) -> None:
        self._end.set()
        self.join(10)


class Faults(logging.Handler):
    """Keeps what the engine's log says of faults of its own."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info:
            self.texts.append(f"{record.getMessage()}: {record.exc_info[1]!r}")


class Site(RuleBasedStateMachine):
    """One engine, three clients that do not wait for each other, and what can go wrong."""

    def __init__(self) -> None:
        super().__init__()
        self.faults = Faults()
        logging.getLogger("repstream").addHandler(self.faults)
        self.clients = [ThreadPoolExecutor(1) for _ in CLIENTS]
        self.asked: list[Future[Any]] = []
        self.handles: list[PendingHandle] = []
        self.detector = Detector()
        self.port = free_port()
        self.consumer = SlowConsumer(f"tcp://127.0.0.1:{self.port}")
        self.folder = Path(tempfile.mkdtemp(prefix="stateful-"))
        self.stalls = False
        self.stopped: int | None = None
        self.completions: dict[str, int] = {}
        self.finished: dict[str, int] = {}

    @initialize()
    def begin(self) -> None:
        configuration = Configuration(
            source=SourceConfig(address=self.detector.address),
            streams={"slow": StreamConfig(address=f"tcp://127.0.0.1:{self.port}", on_slow="drop_oldest")},
            writers={
                name: WriterConfig(folder=str(self.folder), file_name=name, num_images=images)
                for name, images in (("main", 40), ("other", 0))
            },
        )
        self.service = Service(ServiceOptions(roots=(self.folder,), configuration=configuration))
        self.service.subscribe(self._on_event)
        self.service.start()

    # --- what happens ---------------------------------------------------------------------

    @rule(command=st.sampled_from(ENGINE_COMMANDS), client=st.integers(0, 2))
    def command(self, command: str, client: int) -> None:
        self._give(client, lambda who: self.service.execute(f"engine.{command}", None, who))

    @rule(
        command=st.sampled_from(WRITER_COMMANDS),
        writer=st.sampled_from(["main", "main", "other"]),
        client=st.integers(0, 2),
    )
    def command_a_writer(self, command: str, writer: str, client: int) -> None:
        self._give(client, lambda who: self.service.execute(f"writers.{writer}.{command}", None, who))

    @rule(
        part=st.sampled_from(
            [
                {"writers": {"other": {"num_images": 10}}},
                {"writers": {"other": None}},
                {"streams": {"slow": {"every_nth": 2}}},
                {"streams": {"more": {"address": "ipc://@more"}}},
                {"streams": {"more": None}},
                {"engine": {"stall_patience": 4.0}},
            ]
        ),
        client=st.integers(0, 2),
    )
    def configure(self, part: dict[str, dict[str, Any]], client: int) -> None:
        other = part.get("writers", {}).get("other")
        if other is not None:
            part = {"writers": {"other": {**other, "folder": str(self.folder), "file_name": "other"}}}
        text = json.dumps(part)
        self._give(client, lambda who: self.service.execute("engine.configure", text, who))

    @rule(
        values=st.sampled_from(
            [
                {"writers.main.num_images": 0},
                {"writers.main.num_images": 25},
                {"streams.slow.every_nth": 3},
                {"source.buffer_memory": 64},
            ]
        ),
        client=st.integers(0, 2),
    )
    def write(self, values: dict[str, Any], client: int) -> None:
        self._give(client, lambda who: self.service.write(values, who))

    @rule(seconds=st.sampled_from([0.0, 0.02, 0.2]))
    def time_passes(self, seconds: float) -> None:
        time.sleep(seconds)

    @precondition(lambda self: not self.stalls)
    @rule()
    def the_data_plane_is_killed(self) -> None:
        self._signal(signal.SIGKILL)

    @precondition(lambda self: not self.stalls)
    @rule()
    def the_data_plane_stalls(self) -> None:
        self.stalls = True
        self.stopped = self._signal(signal.SIGSTOP)

    @precondition(lambda self: self.stalls)
    @rule()
    def the_data_plane_goes_on(self) -> None:
        self._go_on()

    @rule(command=st.sampled_from(ENGINE_COMMANDS))
    def one_command_alone_follows_the_table(self, command: str) -> None:
        """With nobody else there the table of states says what comes of a command."""
        self._settle()
        before = RepeaterState(str(self._value("engine.state")))
        expected = REPEATER[before].get(command)
        try:
            self.service.execute(f"engine.{command}", None, CLIENTS[0])
        except Refused as error:
            assert expected is None or "drains" in error.reason, (before, command, error)
        else:
            assert expected is not None, (before, command)
            assert self._value("engine.state") == expected

    @rule()
    def all_agree(self) -> None:
        self._settle()
        self._assert_agreement()

    # --- what holds -----------------------------------------------------------------------

    def teardown(self) -> None:
        try:
            if hasattr(self, "service"):
                self._settle()
                self._assert_agreement()
                self._assert_a_way_back()
                self._settle()
                self._assert_ended()
        finally:
            self._close()

    def _assert_agreement(self) -> None:
        state = self._value("engine.state")
        assert state in ("INITIALIZED", "RUNNING", "STOPPED", "ERROR"), state
        running = state == "RUNNING"
        self._until(lambda: self._listens() is running, f"the stream's address as {state} has it")
        received = self._received()
        if running:
            self._until(lambda: self._received() > received, "frames while RUNNING")
        else:
            time.sleep(0.3)
            assert self._received() == received, f"frames are received while {state}"
        for slot in (1, 2):
            self._assert_writer_agrees(f"writers.{slot}.", running)

    def _assert_writer_agrees(self, writer: str, running: bool) -> None:
        values = self.service.snapshot().values
        state, acquisition = values[f"{writer}state"], values[f"{writer}acq_state"]
        if state is None:
            return
        if state == "WRITING":
            assert running, f"{writer} is WRITING while the repeater is {self._value('engine.state')}"
            if values[f"{writer}gate"] == "open" and not values[f"{writer}num_requested"]:
                written = values[f"{writer}num_written"]
                self._until(lambda: self._value(f"{writer}num_written") != written, f"images in {writer}")
        else:
            assert acquisition in ("NONE", "FINISHED", "FAILED"), (state, acquisition)
            assert values[f"{writer}gate"] in ("shut", None)
        if state == "UNKNOWN":
            assert self._value("engine.state") == "ERROR"

    def _assert_a_way_back(self) -> None:
        for command in ("reset", "start"):
            if self._value("engine.state") != "RUNNING":
                self._until(lambda: self._taken(f"engine.{command}"), f"engine.{command}")  # noqa: B023
        assert self._value("engine.state") == "RUNNING"
        self._until(lambda: self._taken("writers.main.stop"), "writers.main.stop")
        self._until(lambda: self._value("writers.main.state") == "READY", "a READY writer")
        self.service.write({"writers.main.num_images": 5}, CLIENTS[0])
        handle = self.service.execute("writers.main.start", None, CLIENTS[0])
        completion = handle.wait(PATIENCE)
        assert completion.ok, completion

    def _assert_ended(self) -> None:
        """Everything that was taken has ended once, and files hold what was said of them."""
        self._until(lambda: self._taken("engine.stop"), "engine.stop")
        self._settle()
        for handle in self.handles:
            assert handle.wait(PATIENCE)
        self._until(lambda: len(self.completions) >= len(self.handles), "the event of each end")
        assert [n for n in self.completions.values() if n != 1] == []
        for path, written in self.finished.items():
            with h5py.File(path) as file:  # which has no dataset before the first image
                images = file.get("/entry/data/data", ())
                assert len(images) == written, path
        assert self.faults.texts == []

    # --- how --------------------------------------------------------------------------------

    def _give(self, client: int, act: Callable[[Requester], Any]) -> None:
        def give() -> None:
            with suppress(Refused, Unanswered, EngineFault):
                if isinstance(handle := act(CLIENTS[client]), PendingHandle):
                    self.handles.append(handle)

        self.asked.append(self.clients[client].submit(give))

    def _taken(self, command: str) -> bool:
        try:
            self.service.execute(command, None, CLIENTS[0])
        except (Refused, Unanswered):
            return False
        return True

    def _settle(self) -> None:
        """Let everything go on that has been asked, and wait until nothing is on its way."""
        self._go_on()
        _, not_done = wait(self.asked, PATIENCE)
        assert not not_done, "a request is not answered"
        for future in self.asked:
            future.result()
        self.asked.clear()
        self._until(
            lambda: self._value("engine.state") != "UNKNOWN" and not self._service_drains(),
            "the end of a drain",
        )
        time.sleep(0.3)
        self._until(lambda: self._value("engine.state") != "UNKNOWN", "the data plane")

    def _service_drains(self) -> bool:
        return self.service.snapshot().values["engine.draining_time"] is not None or "draining" in str(
            self._value("engine.status")
        )

    def _signal(self, number: signal.Signals) -> int | None:
        process_id = int(str(self._value("engine.process_id") or 0))
        if not process_id:
            return None
        with suppress(ProcessLookupError):
            os.kill(process_id, number)
            return process_id
        return None

    def _go_on(self) -> None:
        self.stalls = False
        if self.stopped is not None:
            with suppress(ProcessLookupError):
                os.kill(self.stopped, signal.SIGCONT)
            self.stopped = None

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def _value(self, key: str) -> Any:
        return self.service.read(key).value

    def _received(self) -> int:
        return int(self._value("source.received") or 0)

    def _on_event(self, event: Event) -> None:
        if isinstance(event, Completion):
            self.completions[event.handle_id] = self.completions.get(event.handle_id, 0) + 1
        elif isinstance(event, Change):
            values = self.service.snapshot().values
            for slot in (1, 2):
                for which in ("", "previous_"):
                    head = f"writers.{slot}.{which}"
                    if event.values.get(f"{head}acq_state") == "FINISHED":
                        self.finished[str(values[f"{head}full_file_name"])] = int(
                            values[f"{head}num_written"] or 0
                        )

    def _until(self, test: Asked, what: str) -> None:
        end = time.monotonic() + PATIENCE
        while not test():
            assert time.monotonic() < end, f"waited in vain for {what}: {self._value('engine.status')}"
            time.sleep(0.02)

    def _close(self) -> None:
        self._go_on()
        if hasattr(self, "service"):
            self.service.close()
        for client in self.clients:
            client.shutdown(wait=False, cancel_futures=True)
        self.consumer.close()
        self.detector.close()
        logging.getLogger("repstream").removeHandler(self.faults)
        shutil.rmtree(self.folder)


def run(examples: int, steps: int) -> None:
    run_state_machine_as_test(
        Site,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            database=None,
            report_multiple_bugs=False,
            phases=[Phase.generate],  # what threads do is not done again alike, so there is nothing to shrink
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.timeout(300)
def test_whatever_happens_all_agree_and_there_is_a_way_back() -> None:
    run(examples=3, steps=15)


@pytest.mark.soak
def test_whatever_happens_for_an_hour() -> None:
    end = time.monotonic() + 60 * MINUTES
    while time.monotonic() < end:
        run(examples=20, steps=40)
