"""`Launcher`: what places engines on hosts and starts them anew; how they are reached is an address."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec


class Wanted(msgspec.Struct, frozen=True):
    """An engine that is to run somewhere.

    `name`: unique in the cluster. `needs`: what the host must offer, such as ``{"disk:nvme": 1}``; it is
    taken from what is left there. `port`: where the engine answers on its host. `options`: those of
    ``repstream serve``. `patience`: seconds that the engine goes on where nobody asks for it any more.
    """

    name: str
    port: int
    options: tuple[str, ...] = ()
    needs: dict[str, float] = {}
    patience: float = 60.0


class Placed(msgspec.Struct, frozen=True):
    """An engine that was launched. `host` and `address` are empty while it is placed anew.

    `since`: Unix seconds of its start, 0 where that is not known. `keeper`: the process that the launcher
    looks after, `holder` the one that the engine belongs to.
    """

    name: str
    address: str = ""
    host: str = ""
    since: float = 0.0
    keeper: int = 0
    holder: int = 0


class Launcher(Protocol):
    """Places engines. Frames do not pass through it."""

    def start(self, wanted: Wanted, timeout: float) -> Placed:
        """Place an engine and wait until it answers; raises `Refused` where no host can take it."""

    def stop(self, name: str, timeout: float) -> None:
        """End an engine in good order; raises `Refused` where there is none of this name."""

    def engines(self, timeout: float) -> Sequence[Placed]:
        """All engines; one that does not answer within `timeout` seconds has no address."""
