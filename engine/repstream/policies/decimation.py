"""Which frames an output gets: the decimation policies, each deciding for one output alone.

A policy is asked once for every frame that reaches its output, in the order of arrival:
``decide(frame_id, now)`` with the frame's id (0 … 2^64-1) and a monotonic time in
seconds. Policies on the frame id have no memory at all; the others remember only their
own past, so that lost frames and a numbering that begins anew never make one stall.

| policy | sends a frame when |
|---|---|
| `send_every_nth` | (id - every_nth_offset) % every_nth == 0 |
| `send_every_sec` | every_sec seconds or more have passed since the last one sent; the first at once |
| `send_every_nth_frame`, `batch` | id % frame_block < burst |
| `strides` | (id // stride) is even |
| `forward` | always |
| `periodic` | in bursts of `burst` consecutive frames, `burst_rate` bursts a second |
| `modulo` | it is the modulo-th one received since the last one sent, whatever its id |
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


class Decimation(StrEnum):
    """The names of the policies, as configurations and clients spell them."""

    SEND_EVERY_NTH = "send_every_nth"
    SEND_EVERY_SEC = "send_every_sec"
    SEND_EVERY_NTH_FRAME = "send_every_nth_frame"
    STRIDES = "strides"
    FORWARD = "forward"
    BATCH = "batch"
    PERIODIC = "periodic"
    MODULO = "modulo"


BY_ID = frozenset(
    {
        Decimation.FORWARD,
        Decimation.SEND_EVERY_NTH,
        Decimation.SEND_EVERY_NTH_FRAME,
        Decimation.BATCH,
        Decimation.STRIDES,
    }
)
"""Those that look at nothing but the id, so that each of several processes decides alike."""


class Policy(Protocol):
    """What decides for one output which frames it gets."""

    @property
    def period(self) -> float | None:
        """Seconds after which any frame would be sent again; None where it is not the time that decides."""

    def decide(self, frame_id: int, now: float) -> bool:
        """Whether this frame is sent; `now` is a monotonic time in seconds."""
        ...


class _Untimed:
    """A policy to which the time is the same."""

    __slots__ = ()

    @property
    def period(self) -> None:
        return None


@dataclass(frozen=True, slots=True)
class Forward(_Untimed):
    """Every frame."""

    def decide(self, frame_id: int, now: float) -> bool:
        return True


@dataclass(frozen=True, slots=True)
class EveryNth(_Untimed):
    """Frames whose id is `offset`, or a multiple of `every_nth` from there, up or down."""

    every_nth: int
    offset: int = field(default=0, kw_only=True)

    def __post_init__(self) -> None:
        if self.every_nth < 1:
            raise ValueError(f"every_nth = {self.every_nth}: must be 1 or more")

    def decide(self, frame_id: int, now: float) -> bool:
        return (frame_id - self.offset) % self.every_nth == 0


@dataclass(frozen=True, slots=True)
class BurstOfBlock(_Untimed):
    """The first `burst` ids of every block of `frame_block` ids."""

    burst: int
    frame_block: int

    def __post_init__(self) -> None:
        _check_counts(self)

    def decide(self, frame_id: int, now: float) -> bool:
        return frame_id % self.frame_block < self.burst


@dataclass(frozen=True, slots=True)
class Strides(_Untimed):
    """`stride` ids sent and as many left out, in turn, beginning with id 0."""

    stride: int

    def __post_init__(self) -> None:
        _check_counts(self)

    def decide(self, frame_id: int, now: float) -> bool:
        return frame_id // self.stride % 2 == 0


@dataclass(slots=True)
class EverySec:
    """At most one frame in `every_sec` seconds; the first at once, 0 sends all."""

    every_sec: float
    _last: float | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        if not self.every_sec >= 0:
            raise ValueError(f"every_sec = {self.every_sec}: must be 0 or more seconds")

    @property
    def period(self) -> float:
        return self.every_sec

    def decide(self, frame_id: int, now: float) -> bool:
        if self._last is not None and now - self._last < self.every_sec:
            return False
        self._last = now
        return True


@dataclass(slots=True)
class Periodic:
    """Bursts of `burst` consecutive frames, `burst_rate` bursts a second (Hz).

    The k-th burst is planned k / burst_rate after the first frame and begins with the first
    frame at or after that instant, so that the mean rate keeps to `burst_rate` whatever the
    spacing of the frames. A burst may be late by less than two periods, which evens out jitter
    where frames come hardly faster than bursts; instants that pass in a longer pause are left
    out, not made up for. A burst that lasts beyond the next instant is sent whole.
    """

    burst: int
    burst_rate: float
    _origin: float | None = field(default=None, init=False)
    _planned: int = field(default=0, init=False)
    _remaining: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        _check_counts(self)
        if not self.burst_rate > 0:
            raise ValueError(f"burst_rate = {self.burst_rate}: must be above 0 Hz")

    @property
    def period(self) -> float:
        return 1 / self.burst_rate

    def decide(self, frame_id: int, now: float) -> bool:
        if self._remaining:
            self._remaining -= 1
            return True
        if self._origin is None:
            self._origin = now
        # Counted from the origin, so that rounding errors do not add up over days.
        instant = (now - self._origin) * self.burst_rate
        if instant < self._planned:
            return False
        self._planned = self._planned + 1 if instant < self._planned + 2 else int(instant) + 1
        self._remaining = self.burst - 1
        return True


@dataclass(slots=True)
class Modulo(_Untimed):
    """Every `modulo`-th frame received, by counting; the `modulo`-th is the first."""

    modulo: int
    _count: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        _check_counts(self)

    def decide(self, frame_id: int, now: float) -> bool:
        self._count += 1
        if self._count < self.modulo:
            return False
        self._count = 0
        return True


def make(
    policy: Decimation,
    *,
    every_nth: int = 1,
    every_nth_offset: int = 0,
    every_sec: float = 1.0,
    burst: int = 1,
    frame_block: int = 15,
    stride: int = 1,
    burst_rate: float = 1.0,
    modulo: int = 1,
) -> Policy:
    """A fresh policy for one output; the parameters are those of the output's configuration.

    Only the parameters of the chosen policy are looked at. Raises `ValueError` for one that
    is out of its range.
    """
    match policy:
        case Decimation.FORWARD:
            return Forward()
        case Decimation.SEND_EVERY_NTH:
            return EveryNth(every_nth, offset=every_nth_offset)
        case Decimation.SEND_EVERY_SEC:
            return EverySec(every_sec)
        case Decimation.SEND_EVERY_NTH_FRAME | Decimation.BATCH:
            return BurstOfBlock(burst, frame_block)
        case Decimation.STRIDES:
            return Strides(stride)
        case Decimation.PERIODIC:
            return Periodic(burst, burst_rate)
        case Decimation.MODULO:
            return Modulo(modulo)


def _check_counts(policy: DataclassInstance) -> None:
    """Raise ValueError where a parameter that counts frames, as every integer here does, is below 1."""
    for parameter in fields(policy):
        value = getattr(policy, parameter.name)
        if parameter.init and isinstance(value, int) and value < 1:
            raise ValueError(f"{parameter.name} = {value}: must be 1 or more")
