"""Who may change what now: the control lock, and parameters that want their owner idle."""

from __future__ import annotations

from repstream.errors import Refused
from repstream.parameters.catalogue import Group, Parameter
from repstream.parameters.facts import Access
from repstream.protocol import Requester
from repstream.states import RepeaterState


class ControlLock:
    """At most one requester holds it; while somebody does, only they command and write."""

    def __init__(self) -> None:
        self.holder: Requester | None = None

    def check(self, subject: str, requester: Requester) -> None:
        """Raise `Refused` when somebody else holds the lock."""
        if self.holder is not None and self.holder != requester:
            raise Refused(subject, f"{self.holder} holds the control lock; ask them, or unlock with force")

    def take(self, requester: Requester) -> None:
        self.check("engine.lock", requester)
        self.holder = requester

    def give_back(self, requester: Requester, force: bool) -> None:
        if not force:
            self.check("engine.unlock", requester)
        self.holder = None


def check_access(parameter: Parameter, name: str, held: object, idle: bool) -> None:
    """Raise `Refused` when `parameter` may not be written now; `held` is what stays.

    `idle`: its writer may begin an acquisition, or else the repeater is not RUNNING.
    """
    if parameter.access is Access.READ_ONLY:
        raise Refused(name, "is read-only")
    if idle or parameter.access is Access.ALWAYS:
        return
    if parameter.group == Group.WRITER:
        raise Refused(
            name,
            "the writer takes frames; it can be written while READY, or while the last file is only flushed; "
            f"it stays {held!r}",
            ("READY",),
        )
    states = tuple(s.value for s in RepeaterState if s not in (RepeaterState.RUNNING, RepeaterState.UNKNOWN))
    raise Refused(name, f"the repeater is RUNNING; stop it first, it stays {held!r}", states)
