"""What a check says: what was found, how bad that is, what to do."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import asdict, dataclass


class Verdict(enum.StrEnum):
    """How bad a finding is; the worst comes last."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    `found` is a sentence with the figures, `advice` what to do where that is not well, and `command` the line
    that does it or shows more; both are empty where there is nothing to do.
    """

    check: str
    verdict: Verdict
    found: str
    advice: str = ""
    command: str = ""

    def as_dict(self) -> dict[str, str]:
        """The finding for JSON."""
        return {key: str(value) for key, value in asdict(self).items()}


def ok(check: str, found: str) -> Finding:
    """All well."""
    return Finding(check, Verdict.OK, found)


def warn(check: str, found: str, advice: str, command: str = "") -> Finding:
    """It works, or works most of the time, but not as well as it could."""
    return Finding(check, Verdict.WARN, found, advice, command)


def fail(check: str, found: str, advice: str, command: str = "") -> Finding:
    """It does not work."""
    return Finding(check, Verdict.FAIL, found, advice, command)


def worst(findings: Iterable[Finding]) -> Verdict:
    """The verdict on all together."""
    order = list(Verdict)
    return max((finding.verdict for finding in findings), key=order.index, default=Verdict.OK)
