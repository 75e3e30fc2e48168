"""The checks in their order, by the name under which `--only` takes them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from repstream_cli.doctor import (
    clock,
    control_systems,
    installation,
    limits,
    listening,
    network,
    processors,
    security,
    storage,
)
from repstream_cli.doctor.finding import Finding
from repstream_cli.doctor.site import Site

Check = Callable[[Site], Iterable[Finding]]

CHECKS: Mapping[str, tuple[Check, ...]] = {
    "installation": (installation.packages,),
    "engine": (installation.engine, listening.detector),
    "ports": (listening.ports,),
    "network": (network.buffers, network.queues, network.links),
    "limits": (limits.open_files, limits.memory, limits.zmq_limits),
    "storage": (storage.roots, storage.shared_memory),
    "processor": (processors.cores, processors.frequency),
    "clock": (clock.clock,),
    "security": (security.certificate, security.keys, security.tokens),
    "tango": (control_systems.tango,),
    "epics": (control_systems.epics,),
}


def examine(site: Site, names: Iterable[str] = ()) -> Iterator[Finding]:
    """All findings about a site, by all checks or by those that are named."""
    for name in names or CHECKS:
        for check in CHECKS[name]:
            yield from check(site)
