"""What a ``with`` begins and ends: the base of servers, clients and readers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self


class Closing(ABC):
    """Is closed at the end of a ``with``; open from the moment that it is made."""

    __slots__ = ()

    @abstractmethod
    def close(self) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Running(Closing):
    """Is started at the beginning of a ``with`` and closed at its end.

    A `start` that raises has left nothing open, as no `close` follows it.
    """

    __slots__ = ()

    @abstractmethod
    def start(self) -> None: ...

    def __enter__(self) -> Self:
        self.start()
        return self
