"""Cores: how many, how fast, and who else wants them."""

from __future__ import annotations

from collections.abc import Iterator

from repstream_cli.doctor.finding import Finding, ok, warn
from repstream_cli.doctor.site import Site

FEWEST = 2
"""The data plane has one to itself; the service and the front ends share the other."""


def cores(site: Site) -> Iterator[Finding]:
    """The cores that may be used, by affinity and control group, and their load."""
    count: float = site.machine.cores()
    quota = (site.machine.read("/sys/fs/cgroup/cpu.max") or "max").split()
    if quota[0] != "max":
        count = min(count, int(quota[0]) / int(quota[1]))
    if count < FEWEST:
        yield warn(
            "processor",
            f"{count:g} cores may be used",
            f"the data plane wants one to itself; give the engine {FEWEST} or more",
            "nproc; cat /sys/fs/cgroup/cpu.max",
        )
    else:
        yield ok("processor", f"{count:g} cores may be used; a GPU is not needed")
    load = float((site.machine.read("/proc/loadavg") or "0").split()[0])
    if load > count:
        yield warn(
            "processor",
            f"{load:g} processes want a core at the same time",
            "move other programs elsewhere, or keep cores for the engine (CPUAffinity= in a unit of systemd)",
            "top",
        )


def frequency(site: Site) -> Iterator[Finding]:
    """Governors that make the first frames after a pause wait."""
    where = "/sys/devices/system/cpu"
    governors = {
        governor
        for name in site.machine.below(where)
        if (governor := site.machine.read(f"{where}/{name}/cpufreq/scaling_governor"))
    }
    slow = sorted(governors - {"performance"})
    if slow:
        yield warn(
            "processor",
            f"cores run slower while they have little to do (governor {', '.join(slow)})",
            "frames that come after a pause wait until they run fast; keep the frequency up",
            "cpupower frequency-set --governor performance",
        )
    elif governors:
        yield ok("processor", "cores keep their frequency up (governor performance)")
    else:
        yield ok("processor", "the frequency of the cores is not set by this system")
    isolated = site.machine.read(f"{where}/isolated")
    if isolated:
        yield ok(
            "processor",
            f"cores {isolated} are isolated: name them in CPUAffinity=, nothing is put there by itself",
        )
