"""Who asks, when the command line does."""

from __future__ import annotations

import getpass
import platform

from repstream.protocol import Requester


def requester(command: str) -> Requester:
    """The user of this process on this host, by way of `command`."""
    return Requester(command, getpass.getuser(), platform.node())
