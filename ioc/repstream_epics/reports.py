"""Showing what became of requests, on the PVs for it."""

from __future__ import annotations

from repstream.parameters.catalogue import Command, Parameter
from repstream_epics import names, types
from repstream_epics.projection import MESSAGE_LENGTH, ReportPVs, View
from repstream_epics.refusal import CmdStatus, WriteStatus, severity_of

_GOOD = frozenset({CmdStatus.IDLE, CmdStatus.BUSY, CmdStatus.OK})


async def report(view: View, item: Parameter | Command, status: CmdStatus, message: str, time: float) -> None:
    """Show the outcome of a request for `item`: reason first, status last."""
    for shown in view.reports_of(item):
        if shown.name is not None:
            await shown.name.show(names.setpoint(item), severity_of(CmdStatus.OK), time)
            await show_report(shown, status, message, time)
        else:
            good = status in _GOOD
            await show_report(shown, *(WriteStatus.OK, "") if good else (WriteStatus.ERROR, message), time)


async def show_report(report: ReportPVs, status: str, message: str, time: float) -> None:
    """Message, then status with its severity on both."""
    severity = severity_of(status)
    await report.message.show(types.text_to_pv(message, MESSAGE_LENGTH), severity, time)
    await report.status.show(str(status), severity, time)
