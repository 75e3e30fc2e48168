"""Which parameters may be written now: some want their owner idle."""

from __future__ import annotations

from repstream.errors import Refused
from repstream.parameters.catalogue import Group, Parameter
from repstream.parameters.facts import Access
from repstream.states import RepeaterState, is_open, is_unknown


def check_access(parameter: Parameter, name: str, held: object, idle: bool) -> None:
    """Raise `Refused` when `parameter` may not be written now; `held` is what stays.

    `idle`: its writer may begin an acquisition, or else the repeater is not RUNNING.
    """
    if parameter.access is Access.READ_ONLY:
        raise Refused(name, "is read-only: the engine reports it; settings and commands change it")
    if idle or parameter.access is Access.ALWAYS:
        return
    if parameter.group == Group.WRITER:
        raise Refused(
            name,
            "the writer takes frames; stop it, or write this when it is READY or only flushes its last file; "
            f"it stays {held!r}",
            ("READY",),
        )
    states = tuple(s.value for s in RepeaterState if not is_open(s) and not is_unknown(s))
    raise Refused(name, f"the repeater is RUNNING; stop it first, it stays {held!r}", states)
