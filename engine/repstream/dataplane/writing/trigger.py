"""What starts an armed writer by itself: a condition on the headers. Pure."""

from __future__ import annotations

from repstream.errors import MalformedMessage
from repstream.messages.formats import attributes
from repstream.messages.frame import Frame
from repstream.parameters.trigger_condition import parse_condition


class Trigger:
    """Fires with the frame that fulfils a condition where that before did not.

    Before the first frame it counts as not fulfilled. A frame without the attribute, or with a
    text there, does not fulfil it; an empty condition never fires (not `enabled`). Raises ValueError as
    `parse_condition`.
    """

    def __init__(self, condition: str = "") -> None:
        self._condition = parse_condition(condition)
        self.enabled = self._condition is not None
        self._was = False

    def fires(self, frame: Frame) -> bool:
        """Look at the next frame."""
        condition = self._condition
        if condition is None:
            return False
        try:
            holds = condition.holds(attributes(frame).get(condition.attribute))
        except MalformedMessage:
            holds = False
        was, self._was = self._was, holds
        return holds and not was
