"""The clock: times stand in files and events, and are compared with those of other machines."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from repstream_cli.doctor.finding import Finding, fail, ok, warn
from repstream_cli.doctor.site import Site

MOST_ERROR = 0.1
"""Seconds by which times of two machines may differ before what happened first is not clear."""

MOST_AHEAD = 1.0
"""Seconds of difference to an engine's clock that the way to it and a busy machine do not explain."""

WRITTEN = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
"""No clock is right that shows an earlier time than this was written at."""


def clock(site: Site) -> Iterator[Finding]:
    """Is the clock kept by something, and is it the same as the engine's?"""
    now = site.machine.now()
    if now < WRITTEN:
        yield fail(
            "clock",
            f"the clock shows {datetime.fromtimestamp(now, UTC):%Y-%m-%d %H:%M} UTC, which is past",
            "set it; files would carry this time",
            "timedatectl set-ntp true",
        )
    state = site.machine.clock()
    if state is None:
        yield warn("clock", "the kernel does not say whether its clock is kept", "look", "timedatectl")
    elif not state.synchronised:
        yield warn(
            "clock",
            "nothing keeps the clock right (NTP or PTP)",
            "times in files and events drift from those of the detector; start chrony, ptp4l or timesyncd",
            "timedatectl set-ntp true",
        )
    elif state.max_error > MOST_ERROR:
        yield warn(
            "clock",
            f"the clock is kept, with an error of up to {state.max_error:.3g} s",
            "look which server it follows, and how far away that is",
            "chronyc tracking",
        )
    else:
        yield ok("clock", f"the clock is kept, with an error of at most {state.max_error * 1e3:.3g} ms")
    if site.engine is not None and abs(site.engine.ahead) > MOST_AHEAD:
        way = "ahead of" if site.engine.ahead > 0 else "behind"
        yield fail(
            "clock",
            f"the engine's clock, on {site.engine.host}, is {abs(site.engine.ahead):.3g} s {way} this one",
            "have both follow the same time server",
            "timedatectl",
        )
