"""What goes wrong: each fault begins in the middle of an acquisition, and is over after a while."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import dataclass

from tests.cli.processes import below
from tests.soak.site.beamline import Beamline
from tests.soak.site.programs import send

Act = Callable[[Beamline], None]

WHOLE = frozenset({"completed"})
STORAGE = frozenset({"completed", "failed"})
DEATH = frozenset({"completed", "failed", "unfinished"})
ORPHANED = frozenset({"completed", "interrupted", "unfinished"})


def nothing(line: Beamline) -> None:
    pass


@dataclass(frozen=True)
class Fault:
    """`hold`: the least and the most seconds from `begin` to `end`; `outcomes`: how the acquisition may end.

    `kills`: a process ends by it. `storage`: it needs the shim. `layout`: the only one that it concerns.
    """

    name: str
    begin: Act
    end: Act = nothing
    hold: tuple[float, float] = (0.0, 0.0)
    outcomes: frozenset[str] = WHOLE
    kills: bool = False
    storage: bool = False
    layout: str = ""


def killing(*names: str) -> Act:
    """Kill these processes at once, and all below them where the service is among them and `all` is asked."""

    def kill(line: Beamline) -> None:
        there = line.processes()
        pids = {there[name] for name in names if name in there}
        if "all" in names:
            pids = {line.serve.pid, *below(line.serve.pid)}
        line.killed |= pids
        for pid in pids:
            send(pid, signal.SIGKILL)

    return kill


def signalling(name: str, number: signal.Signals) -> Act:
    def act(line: Beamline) -> None:
        if (pid := line.processes().get(name)) is not None:
            send(pid, number)

    return act


def halted(name: str, most: float = 2.5) -> Fault:
    """A process that stands still for a while, shorter than others wait for it."""
    begin, end = signalling(name, signal.SIGSTOP), signalling(name, signal.SIGCONT)
    return Fault(f"{name} halted", begin, end, (0.3, most))


def killed(name: str, outcomes: frozenset[str] = WHOLE, layout: str = "") -> Fault:
    return Fault(f"{name} killed", killing(name), outcomes=outcomes, kills=True, layout=layout)


def storage(
    what: str, word: str, outcomes: frozenset[str] = WHOLE, hold: tuple[float, float] = (0.5, 2.0)
) -> Fault:
    """The storage of the acquisitions does what `storage_shim.c` says of a word."""

    def does(word: str) -> Act:
        def act(line: Beamline) -> None:
            assert line.storage is not None
            line.storage.does(word)

        return act

    return Fault(what, does(word), does(""), hold, outcomes, storage=True)


def detector(what: str, order: str) -> Fault:
    """The detector does so with some of its frames."""
    return Fault(what, lambda line: line.detector.order(order, line.dice.randint(1, 20)))


FAULTS = (
    Fault("none", nothing),
    detector("garbage", "garbage"),
    detector("frames left out", "leave_out"),
    detector("frames twice", "repeat"),
    halted("serve"),
    halted("data plane"),
    halted("pictures", most=8.0),
    halted("tango"),
    halted("ioc"),
    halted("http"),
    halted("consumer"),
    storage("disk full", "ENOSPC", STORAGE),
    storage("disk fails", "EIO", STORAGE),
    storage("writes end early", "short"),
    storage("writes stall", "stall"),
    storage("folder hangs", "hang /run"),
    killed("pictures"),
    killed("tango"),
    killed("ioc"),
    killed("http"),
    killed("consumer"),
    killed("part", STORAGE, layout="parts"),
    killed("data plane", DEATH),
    killed("serve", ORPHANED),
    Fault("all killed", killing("all"), outcomes=ORPHANED, kills=True),
)
