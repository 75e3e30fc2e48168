"""How long the calls of several writers on their files took, all together. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from repstream.dataplane.control import Call, CallReport


def summed_calls(writers: Sequence[Mapping[Call, CallReport]]) -> dict[Call, CallReport]:
    """Counts and times of each kind of call; the last one is the longest of the last ones."""
    kinds = dict.fromkeys(kind for calls in writers for kind in calls)
    return {kind: _summed([calls[kind] for calls in writers if kind in calls]) for kind in kinds}


def _summed(reports: Sequence[CallReport]) -> CallReport:
    return CallReport(
        seconds=sum(report.seconds for report in reports),
        last=max(report.last for report in reports),
        longest=max(report.longest for report in reports),
        counts=tuple(map(sum, zip(*(report.counts for report in reports), strict=True))),
    )
