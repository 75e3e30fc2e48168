"""The reports of several receivers as the report of one data plane. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec

from repstream.accounting import COUNT_LIMIT, GapTracker, InputSnapshot, OutputSnapshot
from repstream.dataplane.control import Report, SourceReport, StreamReport, WriterReport
from repstream.service.receivers.judging import Judging

LOST = "receiver"
"""Why frames are dropped that a receiver had when it died."""


class Reports:
    """Collects what the receivers report, and says it as one.

    What those that died had counted stays in the sums; `id_step` is that of the source.
    """

    def __init__(self, receivers: int, id_step: int) -> None:
        self._gaps = GapTracker(id_step)
        self._ids = Judging(receivers, self._gaps)
        self._last: dict[int, Report] = {}
        self._gone: Report | None = None
        self._fresh: set[int] = set()

    def take(self, receiver: int, report: Report) -> None:
        """A receiver reports."""
        self._last[receiver] = report
        self._fresh.add(receiver)
        runs = report.source.runs
        self._ids.note(receiver, runs, report.clock, busy=bool(runs) or is_held(report))

    def begin(self, receiver: int) -> None:
        """A receiver that had died is asked to open: until it reports, its ids may be anywhere."""
        self._ids.begin(receiver)

    def lose(self, receiver: int) -> None:
        """A receiver died: what waited in it is lost."""
        self._fresh.discard(receiver)
        self._ids.lose(receiver)
        if (last := self._last.pop(receiver, None)) is not None:
            self._gone = _summed([*([self._gone] if self._gone else []), _as_lost(last)])

    def are_due(self, live: Collection[int]) -> bool:
        """Whether all of these have reported since the last time that they were said."""
        return self._fresh >= set(live)

    @property
    def are_known(self) -> bool:
        """Whether any of those that live has reported."""
        return bool(self._last)

    def before_acquisitions(self) -> dict[int, WriterReport]:
        """What the writers count that had no acquisition yet, by slot."""
        found: dict[int, list[WriterReport]] = {}
        for report in self._last.values():
            for slot, writer in report.writers.items():
                if not writer.acquisition_id:
                    found.setdefault(slot, []).append(writer)
        return {
            slot: msgspec.structs.replace(of[0], ledger=summed_output([writer.ledger for writer in of]))
            for slot, of in found.items()
        }

    def frames_of(self, receiver: int) -> int:
        """What a receiver has received since it began."""
        last = self._last.get(receiver)
        return last.source.ledger.frames if last is not None else 0

    def said(self, *, final: bool = False) -> Report:
        """All reports as one, but for what concerns acquisitions. `final`: no more ids come."""
        self._fresh.clear()
        live = [self._last[receiver] for receiver in sorted(self._last)]
        clock = max(report.clock for report in live)
        if final:
            self._ids.finish()
        else:
            self._ids.judge()
        whole = _summed([*live, *([self._gone] if self._gone else [])])
        gaps = self._gaps
        ledger = msgspec.structs.replace(
            whole.source.ledger,
            missing=gaps.missing,
            duplicates=gaps.duplicates,
            late=gaps.late,
            resets=gaps.resets,
        )
        problems = [
            f"receiver {number + 1}: {report.source.problem}"
            for number, report in sorted(self._last.items())
            if report.source.problem
        ]
        source = msgspec.structs.replace(
            whole.source,
            ledger=ledger,
            connected=len(live) == self._ids.receivers and all(report.source.connected for report in live),
            problem="; ".join(problems),
        )
        losses = whole.losses + min(gaps.missing, COUNT_LIMIT // 2)
        return msgspec.structs.replace(
            whole, clock=clock, source=source, losses=losses, last_frames=live[0].last_frames
        )


def is_held(report: Report) -> bool:
    """Whether an output of a receiver holds up its input."""
    return any(stream.blocking for stream in report.streams.values()) or any(
        writer.blocking for writer in (*report.writers.values(), *report.behind.values())
    )


def summed_output(ledgers: Sequence[OutputSnapshot]) -> OutputSnapshot:
    """The counts of one output of several receivers."""
    return OutputSnapshot(
        offered=sum(ledger.offered for ledger in ledgers),
        sent=sum(ledger.sent for ledger in ledgers),
        skipped=by_reason(ledger.skipped for ledger in ledgers),
        dropped=by_reason(ledger.dropped for ledger in ledgers),
        queued=sum(ledger.queued for ledger in ledgers),
        nbytes_sent=sum(ledger.nbytes_sent for ledger in ledgers),
        last_frame_id=_highest(ledger.last_frame_id for ledger in ledgers),
        kept=sum(ledger.kept for ledger in ledgers),
    )


def as_lost(ledger: OutputSnapshot) -> OutputSnapshot:
    """The counts of an output that died with its receiver: what waited there is dropped."""
    if not ledger.queued:
        return ledger
    dropped = by_reason([ledger.dropped, {LOST: ledger.queued}])
    return msgspec.structs.replace(ledger, dropped=dropped, queued=0, kept=0)


def _summed(reports: Sequence[Report]) -> Report:
    """The sums of several reports; writers are left out, `missing` and its like are for the caller."""
    streams: dict[int, list[StreamReport]] = {}
    for report in reports:
        for slot, stream in report.streams.items():
            streams.setdefault(slot, []).append(stream)
    return Report(
        clock=max(report.clock for report in reports),
        source=_summed_source([report.source for report in reports]),
        streams={slot: _summed_stream(of) for slot, of in streams.items()},
        writers={},
        losses=sum(report.losses for report in reports),
    )


def _summed_source(sources: Sequence[SourceReport]) -> SourceReport:
    ledgers = [source.ledger for source in sources]
    last = max(sources, key=lambda source: source.last_time or 0.0)
    ledger = InputSnapshot(
        messages=sum(ledger.messages for ledger in ledgers),
        frames=sum(ledger.frames for ledger in ledgers),
        malformed=by_reason(ledger.malformed for ledger in ledgers),
        missing=0,
        duplicates=0,
        late=0,
        resets=0,
        nbytes=sum(ledger.nbytes for ledger in ledgers),
        last_frame_id=last.ledger.last_frame_id,
        last_time=last.last_time,
        other=by_reason(ledger.other for ledger in ledgers),
    )
    denied = sum(source.denied for source in sources)
    return msgspec.structs.replace(last, ledger=ledger, runs=(), denied=denied)


def _summed_stream(streams: Sequence[StreamReport]) -> StreamReport:
    return StreamReport(
        ledger=summed_output([stream.ledger for stream in streams]),
        queue_use=max(stream.queue_use for stream in streams),
        clients=sum(stream.clients for stream in streams),
        disconnects=sum(stream.disconnects for stream in streams),
        blocking=any(stream.blocking for stream in streams),
        denied=sum(stream.denied for stream in streams),
    )


def _as_lost(report: Report) -> Report:
    streams = {
        slot: msgspec.structs.replace(
            stream, ledger=as_lost(stream.ledger), queue_use=0.0, clients=0, blocking=False
        )
        for slot, stream in report.streams.items()
    }
    waited = sum(stream.ledger.queued for stream in report.streams.values())
    return msgspec.structs.replace(report, streams=streams, losses=report.losses + waited)


def by_reason(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Counts of the same reason as one."""
    total: Counter[str] = Counter()
    for one in counts:
        total.update(one)
    return dict(total)


def _highest(ids: Iterable[int | None]) -> int | None:
    return max((frame_id for frame_id in ids if frame_id is not None), default=None)
