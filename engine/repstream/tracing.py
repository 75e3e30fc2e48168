"""Control calls as traces of OpenTelemetry, where its library is installed and set up; else nothing.

A write is a span until it is in force, a command one until it has ended, with who asked, the words of a
refusal, and the acquisition. Frames have none: nothing here is on their path.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from repstream.errors import RepstreamError

try:
    from opentelemetry import trace
except ImportError:  # the extra `otel`
    trace = None  # type: ignore[assignment]


class Ended(Protocol):
    """How a command ended, as `protocol.Completion` says it."""

    @property
    def ok(self) -> bool: ...
    @property
    def message(self) -> str: ...
    @property
    def acquisition_id(self) -> str: ...


class Call:
    """One control call, from now until it is `done`, `ended` or `failed`.

    `name` is the command or ``write``; `about` what is known of it: text by name, without ``repstream.``.
    """

    def __init__(self, name: str, about: Mapping[str, str]) -> None:
        if trace is not None:
            attributes = {f"repstream.{key}": value for key, value in about.items() if value}
            self._span = trace.get_tracer("repstream").start_span(name, attributes=attributes)

    def done(self) -> None:
        """It was taken and is in force."""
        if trace is not None:
            self._span.end()

    def ended(self, how: Ended) -> None:
        """The command has ended."""
        if trace is None:
            return
        if how.acquisition_id:
            self._span.set_attribute("repstream.acquisition_id", how.acquisition_id)
        self._end(how.ok, how.message)

    def failed(self, error: RepstreamError) -> None:
        """It was refused, or the engine failed at it."""
        if trace is not None:
            self._end(False, str(error))

    def _end(self, ok: bool, message: str) -> None:
        code = trace.StatusCode.OK if ok else trace.StatusCode.ERROR
        self._span.set_status(trace.Status(code, None if ok else message))
        self._span.end()
