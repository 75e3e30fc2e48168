"""The log of an engine as PVs: all lines, and those that are warnings or errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from repstream.link.chronicle import MOST_ASKED, Chronicle
from repstream.parameters.catalogue import Catalogue
from repstream.parameters.facts import Value
from repstream.protocol import Change
from repstream_epics import types
from repstream_epics.channels import Channel
from repstream_epics.states import NO_ALARM

LINE = 1000
"""Characters of a line, at most."""

LENGTH = 65536
"""Characters of a PV: what does not fit is left out, the oldest lines first."""

NAMES: Mapping[str, tuple[str, str]] = {
    "Log_RBV": ("info", "Log: newest lines"),
    "LogWarnings_RBV": ("warning", "Log: newest warnings and errors"),
}
"""The PVs, each with the least level of its lines, and its title."""


class LogPVs:
    """Fills `view.Binding`; `channels` by the names above. A line ends with a newline, the newest is last."""

    def __init__(self, catalogue: Catalogue, channels: Mapping[str, Channel]) -> None:
        self._channels = channels
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
        levels = {entry.level for entry in self._chronicle.take(Change("", 0, time, changed))}
        if not levels:
            return
        for name, channel in self._channels.items():
            least, _ = NAMES[name]
            if least == "info" or levels != {"info"}:
                await channel.show(self._text(least), NO_ALARM, time)

    def _text(self, level: str) -> str:
        entries = self._chronicle.chosen(f"level={level} last={MOST_ASKED}")
        lines = (types.text_to_pv(str(entry).replace("→", "->"), LINE) for entry in entries)
        text = "".join(f"{line}\n" for line in lines)
        if len(text) < LENGTH:
            return text
        return text[-LENGTH + 1 :].partition("\n")[2]
