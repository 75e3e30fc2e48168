"""Reports as values."""

from __future__ import annotations

import pytest

from repstream.accounting import OutputLedger
from repstream.dataplane.control import StreamReport, WriterReport
from repstream.parameters.output_status import StreamStatus
from repstream.parameters.writer_status import AcquisitionStatus, WriterStatus
from repstream.service.figures import (
    Rates,
    at_rest,
    count_acquisition,
    count_stream,
    count_writer,
    without_rates,
)
from repstream.states import AcquisitionState


def report(state: AcquisitionState, sent: int, queued: int, kept: int = 0) -> WriterReport:
    ledger = OutputLedger()
    for frame_id in range(sent):
        ledger.book_queued()
        ledger.book_sent(frame_id, 10)
    for _ in range(queued):
        ledger.book_queued()
    for _ in range(kept):
        ledger.book_kept()
    return WriterReport(ledger.snapshot(), 0.0, "1-1", state, False, 0, 0)


def test_what_is_left_shows_with_its_time_while_the_rest_is_written() -> None:
    rates, writer, acquisition = Rates(), WriterStatus(), AcquisitionStatus()

    def count(of: WriterReport, second: float) -> None:
        count_writer(writer, acquisition, of, second, rates)
        count_acquisition(acquisition, of, second, rates)

    for second, sent in enumerate((0, 50)):
        count(report(AcquisitionState.ACQUIRING_IMAGES, sent, 200), float(second))
        assert (acquisition.left, writer.queued) == (0, 200)
    count(report(AcquisitionState.FLUSHING_IMAGES, 100, 150, kept=7), 2.0)
    assert (acquisition.left, writer.queued, writer.kept) == (150, 157, 7)
    assert acquisition.left_time == pytest.approx(3.0)


def test_what_is_set_is_no_rate_of_frames() -> None:
    values = {"source.rate": 1.0, "streams.1.rate": 2.0, "streams.1.name": "live", "pictures.1.rate": 10.0}
    assert without_rates(values) == {"source.rate": None, "streams.1.rate": None}
    assert at_rest(values) == {"source.rate": 0.0, "streams.1.rate": 0.0}


def test_who_is_there_is_not_who_has_gone() -> None:
    status = StreamStatus()
    count_stream(status, StreamReport(OutputLedger().snapshot(), 12.34, 3, 7, True), "live", 0.0, Rates())
    assert (status.clients, status.disconnects) == (3, 7)
    assert (status.queue_use, status.blocking) == (12.3, True)
