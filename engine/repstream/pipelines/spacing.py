"""Messages that are missing in a stream, by the spacing of its pulse ids. Pure."""

from __future__ import annotations

REGULAR = 5
"""Equal steps in a row that make a spacing."""


class Spacing:
    """Counts the ids that are left out between others of an even spacing.

    Pulse ids count the pulses of a machine, and a camera need not see each: at 10 Hz where the machine has
    100 Hz they are 10 apart. So the spacing is learned, and what is a multiple of it is a gap. Where steps
    are uneven nothing is known to be missing. A new spacing that goes on is no loss: what it was taken
    for at first is taken back.
    """

    def __init__(self) -> None:
        self.missing = 0
        self._last: int | None = None
        self._spacing = 0
        self._step, self._run, self._doubtful = 0, 0, 0

    def observe(self, pulse_id: int) -> None:
        """The next message has this id."""
        last, self._last = self._last, pulse_id
        if last is None:
            return
        step = pulse_id - last
        if step != self._step:
            self._step, self._run, self._doubtful = step, 0, 0
        self._run += 1
        if step <= 0 or step == self._spacing:
            return
        if self._run >= REGULAR:
            self.missing -= self._doubtful
            self._spacing, self._doubtful = step, 0
        elif self._spacing and step % self._spacing == 0:
            left_out = step // self._spacing - 1
            self.missing += left_out
            self._doubtful += left_out
