"""Pictures that a test makes itself, in place of those of a process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray

from repstream.pictures.picture import Picture, View
from repstream.pictures.single import picture_of


class Ask:
    """One ask for a picture, until closed."""

    def __init__(self, asks: set[Ask], callback: Callable[[Picture], None], view: View, after: int) -> None:
        self._asks, self.callback, self.view, self.after = asks, callback, view, after

    def close(self) -> None:
        self._asks.discard(self)


class Made:
    """Fills `Pictures`, and stands in for the link to them: hands out what `show` is given."""

    slots = range(1, 3)

    def __init__(self) -> None:
        self.asks: set[Ask] = set()
        self.asked = 0
        self._newest: Picture | None = None
        self._number = 0

    def of(self, slot: int) -> Made:
        return self

    def close(self) -> None:
        self.asks.clear()

    def show(self, image: NDArray[Any]) -> None:
        self._number += 1
        self._image = image
        for ask in list(self.asks):
            ask.close()
            ask.callback(self._picture(ask.view))

    def latest(self, slot: int, view: View | None = None, timeout: float = 2.0) -> Picture | None:
        return self._picture(view or View()) if self._number and slot == 1 else None

    def next(
        self, slot: int, callback: Callable[[Picture], None], view: View | None = None, after: int = 0
    ) -> Ask:
        self.asked += 1
        ask = Ask(self.asks, callback, view or View(), after)
        if self._number > after:
            callback(self._picture(ask.view))
        else:
            self.asks.add(ask)
        return ask

    def subscribe(self, slot: int, callback: Callable[[Picture], None], view: View | None = None) -> Ask:
        raise NotImplementedError

    def _picture(self, view: View) -> Picture:
        made = picture_of(self._image, 100 + self._number, view, 12.5)
        return Picture(
            **{name: getattr(made, name) for name in made.__struct_fields__} | {"number": self._number}
        )
