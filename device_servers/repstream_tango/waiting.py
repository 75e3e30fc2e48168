"""Waiting for the end of a start, in the thread of the client that waits and of nobody else."""

from __future__ import annotations

from queue import Empty, SimpleQueue
from time import monotonic

from repstream.errors import EngineUnreachable
from repstream.parameters.facts import Value
from repstream.protocol import Change, Engine, Event
from repstream.states import StartResult, is_unknown

TURN = 0.5
"""Seconds after which is looked, at the latest, whether the device still waits."""


class StartWait:
    """Waits for the end of the newest start; `cancel` ends all waiting."""

    def __init__(self, engine: Engine, result_key: str, state_key: str) -> None:
        self._engine, self._result, self._state = engine, result_key, state_key
        self._cancelled = False

    def cancel(self) -> None:
        """The device goes: whoever waits is sent away."""
        self._cancelled = True

    def wait(self, timeout: float) -> StartResult:
        """The result of the start that is newest now, also where another start follows at once.

        Raises TimeoutError after `timeout` seconds, and EngineUnreachable when the engine is lost.
        """
        news: SimpleQueue[Event] = SimpleQueue()
        end = monotonic() + timeout
        subscription = self._engine.subscribe(news.put)
        try:
            found = self._seen({key: self._engine.read(key).value for key in (self._state, self._result)})
            while found is None:
                left = end - monotonic()
                if left <= 0 or self._cancelled:
                    raise TimeoutError
                try:
                    event = news.get(timeout=min(left, TURN))
                except Empty:
                    continue
                if isinstance(event, Change):
                    found = self._seen(event.values)
            return found
        finally:
            subscription.close()

    def _seen(self, values: dict[str, Value]) -> StartResult | None:
        if is_unknown(values.get(self._state)) and not values.get(self._result):
            raise EngineUnreachable("the engine was lost: what becomes of the start is not known")
        word = values.get(self._result)
        result = StartResult(str(word)) if word else StartResult.ACCEPTED
        return result if result.is_final else None
