"""What a service does for a group that not every engine has."""

from __future__ import annotations

from repstream.dataplane import control
from repstream.link.handles import PendingHandle
from repstream.parameters.catalogue import Command
from repstream.parameters.facts import Value
from repstream.protocol import Requester


class Keeper:
    """Keeps one group of an engine: its values, and its commands. A group overrides what it needs.

    All but `close` is called in the owner's thread and must not block. What another thread finds out goes
    through `context.owner.post`; values are published with `context.show`; whoever follows settings
    appends to `context.followers`.
    """

    def start(self) -> None:
        """Begin; the context has the configuration."""

    def close(self) -> None:
        """End, from any thread; what may hang is given up."""

    async def execute(
        self, command: Command, argument: Value, requester: Requester, handle: PendingHandle
    ) -> None:
        """Do a command of the group, in one's turn; raises `Refused`.

        `handle` ends by itself when this returns, unless the command is declared to wait: then it is for
        the keeper to end it, with `context.end`.
        """
        raise NotImplementedError(command.key)

    def hear(self, notice: control.Notice) -> None:
        """What the data plane says, after the sign of life that it is."""

    def tick(self) -> None:
        """Once a second."""
