"""The log of an engine as PVs: all lines, warnings and errors, and the lines that somebody chose."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence

from repstream.errors import Refused
from repstream.link.chronicle import MOST, MOST_ASKED, Chronicle, Entry, choice_of
from repstream.parameters.catalogue import Catalogue
from repstream.parameters.facts import Value
from repstream.protocol import Change
from repstream_epics import types
from repstream_epics.channels import Channel, Raw
from repstream_epics.pvs import ReportPVs
from repstream_epics.refusal import CmdStatus
from repstream_epics.states import NO_ALARM, REFUSED_WRITE

LINE = 1000
"""Characters of a line, at most."""

LENGTH = 262_144
"""Characters of a PV, enough for 1,000 usual lines: what does not fit is left out, the oldest first."""

SHOW_INTERVAL = 1.0
"""Seconds between two values of a PV, at least: each is up to 1,000 lines for each client."""

FILTER, CHOSEN = "LogFilter", "LogChosen_RBV"
FILTER_TITLE, FILTER_LENGTH = "Log: which lines are chosen", 200
NAMES: Mapping[str, tuple[str, str]] = {
    "Log_RBV": ("level=info", "Log: newest lines"),
    "LogWarnings_RBV": ("level=warning", "Log: newest warnings and errors"),
    CHOSEN: ("", "Log: newest lines of those chosen"),
}
"""The PVs, each with the words that choose its lines (see `Chronicle.chosen`), and its title."""


class LogPVs:
    """Fills `view.Binding`, and `view.Control` for `FILTER`: what one client writes there, all see.

    `channels` by the names above and `FILTER`. A line ends with a newline, the newest is last.
    """

    def __init__(self, catalogue: Catalogue, channels: Mapping[str, Channel], report_to: ReportPVs) -> None:
        self._channels = channels
        self._report_to = report_to
        self._choices = {name: choice_of(words) for name, (words, _) in NAMES.items()}
        self._lines = {name: deque[str](maxlen=MOST_ASKED) for name in NAMES}
        self._shown = dict.fromkeys(NAMES, -SHOW_INTERVAL)
        self._late: dict[str, asyncio.Task[None]] = {}
        self._words = ""
        self._chronicle = Chronicle(lambda: catalogue)
        self._before: Mapping[str, Value] = {}
        self._keys = [p.key for p in catalogue.parameters.values() if not p.writable]

    @property
    def keys(self) -> Sequence[str]:
        return self._keys

    async def show(self, held: Mapping[str, Value], time: float) -> None:
        before, self._before = self._before, {key: held.get(key) for key in self._keys}
        if not before:
            self._chronicle.begin(self._before)
            return
        changed = {key: value for key, value in self._before.items() if value != before[key]}
        entries = self._chronicle.take(Change("", 0, time, changed))
        for name, choice in self._choices.items():
            if more := [_line(entry) for entry in entries if choice.holds(entry)]:
                self._lines[name].extend(more)
                await self._show_in_time(name, time)

    def request(self, raw: Raw) -> None:
        try:
            words = types.text_from_pv(raw)
            self._choices[CHOSEN] = choice = choice_of(words)
        except ValueError as error:
            raise Refused(FILTER, str(error)) from None
        self._words = words
        self._lines[CHOSEN] = deque(map(_line, self._chronicle.entries(choice)), min(choice.last, MOST))

    async def begun(self, time: float) -> None:
        """It asks for no command."""

    async def answer(self, taken: bool, busy: bool, time: float) -> None:
        await self._channels[FILTER].show(self._words, NO_ALARM if taken else REFUSED_WRITE, time, again=True)
        await self._show(CHOSEN, time)

    async def report(self, status: CmdStatus, message: str, time: float) -> None:
        await self._report_to.of_request(FILTER, status, message, time)

    async def _show_in_time(self, name: str, time: float) -> None:
        """Show lines now, or with those that follow soon."""
        wait = self._shown[name] + SHOW_INTERVAL - asyncio.get_running_loop().time()
        if wait <= 0:
            await self._show(name, time)
        elif name not in self._late:
            self._late[name] = asyncio.create_task(self._show_late(name, wait, time))

    async def _show_late(self, name: str, wait: float, time: float) -> None:
        await asyncio.sleep(wait)
        del self._late[name]
        await self._show(name, time + wait)

    async def _show(self, name: str, time: float) -> None:
        self._shown[name] = asyncio.get_running_loop().time()
        text = "".join(self._lines[name])
        fits = text if len(text) < LENGTH else text[-LENGTH + 1 :].partition("\n")[2]
        await self._channels[name].show(fits, NO_ALARM, time)


def _line(entry: Entry) -> str:
    return types.text_to_pv(str(entry).replace("→", "->"), LINE) + "\n"
