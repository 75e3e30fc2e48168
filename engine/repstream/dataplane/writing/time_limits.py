"""How long an acquisition waits and lasts before it ends by itself. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class TimeLimits:
    """Asked now and then with what has come so far; each limit in seconds, 0 for none.

    `first_image` and `idle` run while the gate is open and frames could come, and begin anew
    with each opening; `longest` runs from the first opening to the end. All times are monotonic.
    """

    first_image: float = 0.0
    idle: float = 0.0
    longest: float = 0.0
    _start: float | None = None
    _since: float | None = None
    _images: int = 0

    def check(self, now: float, *, images: int, is_open: bool, held: bool, last_id: int | None) -> str:
        """What is over, as a sentence without its end; empty while nothing is.

        `images`: those that came for the file so far, the last one with the id `last_id`. `held`:
        the input is held up by an output, so that none can come.
        """
        if is_open and self._start is None:
            self._start = now
        if not is_open:
            self._since = None
        elif self._since is None or held or images != self._images:
            self._since = now
        self._images = images
        return self._longest_over(now) or self._quiet(now, last_id)

    def _longest_over(self, now: float) -> str:
        if self._start is None or not 0 < self.longest <= now - self._start:
            return ""
        return f"the longest duration of {self.longest:g} s is over, {self._images} images came"

    def _quiet(self, now: float, last_id: int | None) -> str:
        if self._since is None:
            return ""
        quiet = now - self._since
        if not self._images:
            over = 0 < self.first_image <= quiet
            return f"no image came within {self.first_image:g} s of the start" if over else ""
        if not 0 < self.idle <= quiet:
            return ""
        return f"no image for {self.idle:g} s, {self._images} came before, the last with id {last_id}"
