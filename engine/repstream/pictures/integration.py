"""What was counted in each image, added up over the openings of a writer's gate. Pure.

The gate says which images it let through (the first id, the last id, how many); this has what was counted
in each image of a stream, in the order in which they came. An integral is complete if every image of the
opening was counted; otherwise it says what is wrong and is no basis for a measurement.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from repstream.dataplane.control import Opening

KEPT = 100_000
"""Images whose numbers are kept, which is the most that an opening may have."""

BEFORE = 10.0
"""Seconds for which they are kept while no gate is open: it may let through what came before."""

ON_ITS_WAY = 1.0
"""Seconds that an image may be under way from the gate to here, where nothing waits to be received.

Only the verdict that some are missing waits for it; on a busy machine an image has taken 0.1 s.
"""

PATIENCE = 10.0
"""Seconds after which images that have not come are given up."""

BEHIND = 1.0
"""Seconds without having caught up, after which an image may be older than it seems."""

JITTER = 0.005
"""Seconds by which two processes may see the order of two events differently."""


class Part(NamedTuple):
    """What was counted in one part of an image: the number of good pixels, and their sum."""

    pixels: int
    sum: int | float


class Integral(NamedTuple):
    """One opening of a gate. `expected` images went through, `images` were counted.

    `parts` are added up over them. `reason` says why it is not complete; empty if it is.
    """

    acquisition_id: str
    number: int
    expected: int
    images: int
    parts: tuple[Part, ...]
    reason: str


class _Counted(NamedTuple):
    frame_id: int
    received: float
    behind: float
    parts: tuple[Part, ...]


class Integration:
    """Adds up over the openings of one gate. All times are monotonic seconds."""

    def __init__(self) -> None:
        self._counted: deque[_Counted] = deque(maxlen=KEPT)
        self._openings: deque[tuple[str, Opening]] = deque()
        self._last: tuple[str, int] = ("", 0)

    @property
    def is_waited_for(self) -> bool:
        """Whether an opening is over whose images are not all here yet."""
        return any(opening.end is not None for _, opening in self._openings)

    def restart(self) -> None:
        """Forget what was counted: from now on something else is."""
        self._counted.clear()

    def count(self, frame_id: int, received: float, parts: Sequence[Part], behind: float = 0.0) -> None:
        """Note what was counted in an image that came at `received`.

        `behind`: seconds since last nothing waited to be received.
        """
        self._counted.append(_Counted(frame_id, received, behind, tuple(parts)))
        if not self._openings:
            while self._counted[0].received < received - BEFORE:
                self._counted.popleft()

    def hear(self, acquisition_id: str, opening: Opening) -> bool:
        """Take what is said of an opening, as often as it is; whether it is one not heard of before."""
        name = (acquisition_id, opening.number)
        for n, (known, held) in enumerate(self._openings):
            if (known, held.number) == name:
                self._openings[n] = (acquisition_id, opening)
                return False
        if name == self._last:
            return False
        self._last = name
        self._openings.append((acquisition_id, opening))
        return True

    def settle(self, now: float, caught_up: float) -> Integral | None:
        """The next opening that is over and whose images are all here, or are given up.

        `caught_up`: when last nothing waited to be received.
        """
        if not self._openings:
            return None
        acquisition_id, opening = self._openings[0]
        found, reason = list[_Counted](), ""
        if opening.end is not None:
            found, reason = self._of(opening)
            all_here = caught_up >= opening.end + ON_ITS_WAY or now >= opening.end + PATIENCE
            if reason and not all_here:
                return None
        elif len(self._openings) > 1:
            reason = "its end was missed"
        else:
            return None
        self._openings.popleft()
        while found and self._counted.popleft() is not found[-1]:
            pass
        return Integral(acquisition_id, opening.number, opening.images, len(found), _added(found), reason)

    def _of(self, opening: Opening) -> tuple[list[_Counted], str]:
        """The images of an opening, and what is wrong with them so far."""
        if not opening.images:
            return [], ""
        came = [c for c in self._counted if c.received >= opening.begin - JITTER]
        runs = [_distinct(came[begin:end]) for begin, end in _runs(came, opening.first_id, opening.last_id)]
        exact = [run for run in runs if len(run) == opening.images]
        if not runs:
            return [], f"images {opening.first_id} to {opening.last_id} did not all come here"
        if exact and exact[0][0].behind > BEHIND:
            # It may have waited since before the gate was opened, with the ids of an earlier series.
            return [], "the pictures were behind, the images cannot be distinguished from earlier ones"
        found = exact[0] if exact else max(runs, key=len)
        return found, "" if exact else f"{len(found)} of {opening.images} images were counted"


def _runs(came: Sequence[_Counted], first: int | None, last: int | None) -> Iterator[tuple[int, int]]:
    """Begin and end of what came from each `first` to the last `last` before the next `first`."""
    begins = [n for n, counted in enumerate(came) if counted.frame_id == first]
    for begin, following in pairwise([*begins, len(came)]):
        ends = [n for n in range(begin, following) if came[n].frame_id == last]
        if ends:
            yield begin, ends[-1] + 1


def _distinct(counted: Sequence[_Counted]) -> list[_Counted]:
    """Without repeats: a stream forwards them, a file does not take them."""
    first: dict[int, _Counted] = {}
    for one in counted:
        first.setdefault(one.frame_id, one)
    return list(first.values())


def _added(found: Sequence[_Counted]) -> tuple[Part, ...]:
    """Part by part; nothing where parts were set anew in between."""
    if not found or any(len(c.parts) != len(found[0].parts) for c in found):
        return ()
    return tuple(
        Part(sum(part.pixels for part in parts), sum(part.sum for part in parts))
        for parts in zip(*(c.parts for c in found), strict=True)
    )
