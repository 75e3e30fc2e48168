"""The reasons of failures in the log: a line a second, the same one once a minute."""

import pytest

from repstream.pipelines.failures import Failures


def test_reasons_are_logged_but_not_for_each_message(caplog: pytest.LogCaptureFixture) -> None:
    failures = Failures()
    for now, reason in ((5, "a"), (5.5, "b"), (6, "b"), (6.9, "b"), (65.9, "b"), (66, "b"), (67, "a")):
        failures.said(reason, now)
    assert [record.getMessage() for record in caplog.records] == ["a", "b", "b", "a"]
