"""Traces by pytango (OpenTelemetry) where they are asked for; to be imported before tango.

Where the packages of OpenTelemetry are installed, pytango wraps each method that a client reaches, whether
its traces go anywhere or not: a tenth of what a poll costs.
"""

from __future__ import annotations

import os

ASKED, OFF = "TANGO_TELEMETRY_ENABLE", "PYTANGO_DISABLE_TELEMETRY_PATCHING"
"""Environment variables of cppTango and of pytango."""

if os.environ.get(ASKED, "").lower() not in {"on", "1", "true", "yes", "y"}:
    os.environ.setdefault(OFF, "on")
