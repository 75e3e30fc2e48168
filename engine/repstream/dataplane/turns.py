"""Messages of a publisher, shared by receivers that all get the same: each takes the ids of its turn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from repstream.dataplane.control import Turn
from repstream.errors import MalformedMessage
from repstream.messages.frame import Frame, NoImage
from repstream.messages.series import SeriesEnd, SeriesStart

Decoded = Frame | SeriesStart | SeriesEnd | NoImage


class OwnTurn:
    """A decoder that gives None for what other receivers take.

    Of N receivers number k takes the frames whose id, in units of `id_step`, is k modulo N; the first also
    takes all that is no frame, malformed messages too, so that everything counts once.
    """

    def __init__(self, turn: Turn, id_step: int, decode: Callable[[Sequence[Any]], Decoded]) -> None:
        self._number, self._receivers, self._step = turn.number, turn.receivers, id_step
        self._decode = decode

    def __call__(self, parts: Sequence[Any]) -> Decoded | None:
        try:
            message = self._decode(parts)
        except MalformedMessage:
            if self._number:
                return None
            raise
        place = message.frame_id // self._step if isinstance(message, Frame) else 0
        return message if place % self._receivers == self._number else None
