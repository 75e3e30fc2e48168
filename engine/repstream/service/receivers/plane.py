"""The data plane of an engine: one process, or several receivers that look like one."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from pydantic import ValidationError

from repstream.dataplane import control
from repstream.files.fence import Start
from repstream.parameters.configuration import Configuration
from repstream.service.receivers.several import Several
from repstream.service.receivers.shares import merged_streams
from repstream.service.start_count import StartCount
from repstream.service.supervisor import Plane, ProcessPlane


class Receivers:
    """Fills `Plane`; how many processes there are is said by each start (``source.receivers``).

    With one receiver everything passes through as it is. Others are started when the configuration asks
    for them, and stay for the next start. `starts` and `patience` as in `ProcessPlane`; a start counts
    once, however many receivers it has. Several cannot go on without their service, so with `patience` they
    are refused.
    """

    def __init__(
        self, model: type[Configuration], starts: StartCount | None = None, patience: float = 0.0
    ) -> None:
        self._model = model
        self._patience = patience
        self._counted = ProcessPlane(model, starts, patience)
        self._planes: list[Plane] = [self._counted]
        self._several: Several | None = None
        self._tell: Callable[[control.Notice], None] = lambda notice: None
        self._died: Callable[[str], None] = lambda reason: None

    @property
    def process_id(self) -> int | None:
        """That of the first receiver."""
        return self._planes[0].process_id

    @property
    def start(self) -> Start | None:
        return self._counted.start

    def launch(
        self, on_notice: Callable[[control.Notice], None], on_death: Callable[[str], None], settings: str
    ) -> bool:
        self._tell, self._died = on_notice, on_death
        self._planes[0] = self._counted
        taken_up = self._launch(0, settings)
        if not self._patience:
            self._launch_others(sum(self._wanted(settings)))
        return taken_up

    def send(self, request: control.Request) -> None:
        if isinstance(request, control.Open) and not self._choose(request):
            return
        (self._several or self._planes[0]).send(request)

    def kill(self) -> None:
        if self._several is not None:
            self._several.kill()
        for plane in self._planes:
            plane.kill()

    def close(self) -> None:
        with ThreadPoolExecutor(len(self._planes)) as pool:
            list(pool.map(lambda plane: plane.close(), self._planes))
        if self._several is not None:
            self._several.close()

    def _choose(self, request: control.Open) -> bool:
        """Have as many receivers as this start asks for; whether they are there, else it is answered."""
        receivers, others = self._wanted(request.configuration)
        if self._several is not None:
            self._several.retire()
            self._several = None
        if receivers == 1:
            return True
        if self._patience:
            reason = (
                f"{receivers} receivers are asked for: with --keep-data-plane there is one, since no start "
                "can take several over; ask for 1, or start the engine without --keep-data-plane"
            )
            self._tell(control.Answer(request.request, reason))
            return False
        try:
            self._launch_others(receivers + others)
        except OSError as error:
            self._tell(control.Answer(request.request, f"a receiver cannot be started: {error}"))
            return False
        self._several = Several(
            self._model,
            self._planes,
            receivers,
            launch=self._launch_again,
            tell=self._tell,
            on_death=self._on_death,
        )
        return True

    def _wanted(self, configuration: str) -> tuple[int, int]:
        """How many receivers a configuration asks for, and how many processes that merge a stream."""
        try:
            whole = self._model.model_validate_json(configuration)
        except ValidationError:
            return 1, 0  # whoever opens it says what is wrong
        return whole.source.receivers, len(merged_streams(whole))

    def _launch_others(self, wanted: int) -> None:
        """Have as many planes as are wanted; those that live stay. Raises OSError."""
        self._planes += [ProcessPlane(self._model) for _ in range(wanted - len(self._planes))]
        for receiver in range(wanted):
            if self._planes[receiver].process_id is None:
                self._launch_again(receiver)

    def _launch(self, receiver: int, settings: str = "") -> bool:
        plane = self._planes[receiver]
        hear, lost = partial(self._hear, receiver, plane), partial(self._lost, receiver, plane)
        return plane.launch(hear, lost, settings)

    def _launch_again(self, receiver: int) -> None:
        self._planes[receiver].kill()  # one that did not take part
        self._planes[receiver] = ProcessPlane(self._model)
        self._launch(receiver)

    def _hear(self, receiver: int, plane: Plane, notice: control.Notice) -> None:
        if not self._is_current(receiver, plane):
            return
        if self._several is not None:
            self._several.hear(receiver, notice)
        elif receiver == 0:
            self._tell(notice)

    def _lost(self, receiver: int, plane: Plane, reason: str) -> None:
        if not self._is_current(receiver, plane):
            return
        if self._several is not None:
            self._several.lost(receiver, reason)
        elif receiver == 0:
            self._died(reason)

    def _is_current(self, receiver: int, plane: Plane) -> bool:
        """Whether this plane is still the receiver of that number."""
        return receiver < len(self._planes) and self._planes[receiver] is plane

    def _on_death(self, reason: str) -> None:
        """No receiver works; one may just be about to begin again."""
        self._several = None
        planes, self._planes = self._planes, [self._counted]
        for plane in planes:
            plane.kill()
        self._died(reason)
