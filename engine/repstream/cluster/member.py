"""One engine of a cluster, by its address: what it is asked, and what its answers mean."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from repstream.errors import EndedEarly, EngineUnreachable, RepstreamError
from repstream.link.remote import RemoteEngine
from repstream.parameters.catalogue import Group
from repstream.parameters.facts import Value
from repstream.parameters.source import SourceConfig
from repstream.parameters.status import EngineStatus, SourceStatus
from repstream.parameters.writer import WriterConfig
from repstream.parameters.writer_status import NEWEST, PREVIOUS, AcquisitionStatus, WriterStatus
from repstream.states import ENDED, is_in_error, is_open, is_ready, is_whole

SETTINGS = (
    "folder",
    "file_name",
    "file_template",
    "num_images",
    "first_image_id",
    "placement",
    "run_id",
    "status_words",
    "idle_timeout",
)
"""What an acquisition of the cluster sets, and what a refused one puts back."""


@dataclass(frozen=True, slots=True)
class Look:
    """A member at one moment: the engine, its input and its writer; the load is what the rates say."""

    name: str
    address: str
    reachable: bool
    engine: EngineStatus
    source: SourceStatus
    writer: WriterStatus
    newest: AcquisitionStatus

    @property
    def is_well(self) -> bool:
        """Whether it answers, is in no error and loses nothing."""
        return self.reachable and not is_in_error(self.engine.state) and not self.engine.losing


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a member is with an acquisition. `result` is empty while it goes on.

    ``completed``, ``interrupted``, ``aborted`` and ``failed`` are the member's own words; ``lost``: it
    cannot be reached any more, or was started anew meanwhile.
    """

    host: str
    written: int
    result: str = ""
    message: str = ""


class Member:
    """An engine with the writer that takes part. `name` stands for the host in every message."""

    def __init__(self, name: str, engine: RemoteEngine, writer: str) -> None:
        self.name = name
        self.engine = engine
        self._writer = writer
        self._silent_since: float | None = None
        self._written = 0

    def __str__(self) -> str:
        return f"{self.name} ({self.engine.address})"

    def look(self) -> Look:
        """What is known of it now; of one that cannot be reached, ``engine.status`` says why."""
        values, catalogue = self.engine.snapshot().values, self.engine.catalogue
        reachable = self.engine.connected
        try:
            fields = self._fields(values)
        except EngineUnreachable:  # nobody knows the slot of the name; all of them are empty then
            fields, reachable = catalogue.fields(values, Group.WRITER, 1), False
        return Look(
            self.name,
            self.engine.address,
            reachable,
            EngineStatus.of(catalogue.fields(values, Group.ENGINE)),
            SourceStatus.of(catalogue.fields(values, Group.SOURCE)),
            WriterStatus.of(fields),
            AcquisitionStatus.of(fields, NEWEST.prefix),
        )

    def complaint(self, members: int) -> str:
        """Why it cannot take part in an acquisition of so many members; empty if it can."""
        try:
            self.engine.check_connected()
            values, catalogue = self.engine.snapshot().values, self.engine.catalogue
            fields = self._fields(values)
        except RepstreamError as error:
            return str(error)
        state = EngineStatus.of(catalogue.fields(values, Group.ENGINE)).state
        step = SourceConfig.of(catalogue.fields(values, Group.SOURCE)).id_step
        writer, config = WriterStatus.of(fields), WriterConfig.of(fields)
        if not is_open(state):
            return f"the engine is {state}; start it, so that no images from before wait for the acquisition"
        if step != members:
            return f"source.id_step is {step}; set it to {members}, the number of hosts that share the images"
        if config.policy != "forward":
            return (
                f"policy of writer {self._writer} is {config.policy}; set it to forward: the ids are shared"
            )
        if not is_ready(writer.state):
            return f"writer {self._writer} is {writer.state}: {writer.waiting or 'stop it first'}"
        return ""

    def settings(self) -> Mapping[str, Value]:
        """What an acquisition changes, as it is now, to be written back."""
        return {key: self.engine.read(key).value for key in map(self.key, SETTINGS)}

    def arm(self, fields: Mapping[str, object], timeout: float) -> str:
        """Set parameters of the writer and have its file made; the id of the acquisition.

        Raises `Refused` and what else the engine raises, `EndedEarly` where the file could not be made, or
        where somebody else changed the parameters in between.
        """
        self._written, self._silent_since = 0, None
        self.engine.write({self.key(field): value for field, value in fields.items()})
        completion = self.engine.execute(self.key("arm")).wait(timeout)
        if not completion.ok:
            raise EndedEarly(completion.command, completion.message)
        armed = self.look().newest
        # By the name alone: what leads to the folder may differ from host to host.
        made, wanted = Path(armed.full_file_name).name, Path(str(fields["output_file"])).name
        if (made, armed.num_requested) != (wanted, fields["num_images"]):
            self.abort(timeout)
            raise EndedEarly(
                completion.command,
                f"somebody else had {armed.full_file_name} made meanwhile, and both gave up; "
                "agree on who starts acquisitions",
            )
        return armed.acquisition_id

    def abort(self, timeout: float) -> None:
        """Give up what was armed, and wait until its file is closed."""
        self.engine.execute(self.key("abort")).wait(timeout)

    def command(self, name: str) -> None:
        """Give the writer a command, and do not wait for its end."""
        self.engine.execute(self.key(name))

    def progress(self, acquisition_id: str, patience: float) -> Progress:
        """How far it is; one that is silent for `patience` seconds is lost."""
        if not self.engine.connected:
            now = time.monotonic()
            self._silent_since = self._silent_since or now
            reason = str(self.engine.read("engine.status").value)
            lost = now - self._silent_since >= patience
            return Progress(self.name, self._written, "lost" if lost else "", reason)
        self._silent_since = None
        fields = self._fields(self.engine.snapshot().values)
        for shown in (NEWEST, PREVIOUS):
            acquisition = AcquisitionStatus.of(fields, shown.prefix)
            if acquisition.acquisition_id == acquisition_id:
                return self._of(acquisition)
        return Progress(
            self.name, self._written, "lost", "the engine was started anew during the acquisition"
        )

    def key(self, field: str) -> str:
        """The key of a parameter or command of the writer."""
        return f"writers.{self._writer}.{field}"

    def _of(self, acquisition: AcquisitionStatus) -> Progress:
        self._written = acquisition.num_written
        if acquisition.acq_state not in ENDED:
            return Progress(self.name, self._written)
        result = acquisition.acq_result
        whole = is_whole(result, acquisition.num_written, acquisition.num_requested)
        word = "completed" if whole else result.value
        return Progress(self.name, self._written, word, acquisition.acq_message)

    def _fields(self, values: Mapping[str, Value]) -> Mapping[str, Value]:
        """The writer's values by field. Raises `UnknownKey` where it has no such writer."""
        slot = self.engine.known_key(self.key("name")).split(".")[1]
        return self.engine.catalogue.fields(values, Group.WRITER, int(slot))
