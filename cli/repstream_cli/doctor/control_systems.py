"""Tango's database and EPICS' name search, as clients on this machine would use them."""

from __future__ import annotations

import importlib
import socket
from collections.abc import Iterator

from repstream_cli.doctor.finding import Finding, fail, ok, warn
from repstream_cli.doctor.plan import readable
from repstream_cli.doctor.site import Site
from repstream_cli.front_ends import installed

TANGO_PORT = 10_000


def tango(site: Site) -> Iterator[Finding]:
    """Does the database answer that TANGO_HOST names?"""
    named = site.machine.environment.get("TANGO_HOST", "")
    if not named:
        yield ok("Tango", "TANGO_HOST is not set: the Tango server runs without a database")
        return
    for place in named.split(","):
        host, _, port = place.strip().partition(":")
        command = f"TANGO_HOST={place} tango_admin --ping-database"
        if port and not port.isdigit():
            yield fail("Tango", f"TANGO_HOST={place} is no host:port", "correct it", "echo $TANGO_HOST")
            continue
        number = int(port or TANGO_PORT)
        try:
            socket.create_connection((host, number), site.timeout).close()
        except OSError as error:
            found = f"no Tango database answers at {place}: {error.strerror or error}"
            yield fail("Tango", found, "start it, or correct TANGO_HOST", command)
            continue
        if not installed("tango"):
            yield ok("Tango", f"something answers at {place}; pytango, which would ask it, is not installed")
            continue
        library = importlib.import_module("tango")
        try:
            library.Database(host, number).get_info()
        except library.DevFailed as failed:
            found = f"what answers at {place} is no Tango database: {failed.args[0].desc.strip()}"
            yield fail("Tango", found, "correct TANGO_HOST", command)
        else:
            yield ok("Tango", f"the Tango database at {place} answers")


def epics(site: Site) -> Iterator[Finding]:
    """Where do clients on this machine look for PVs, and do they find those that are named?"""
    environment = site.machine.environment
    places = environment.get("EPICS_CA_ADDR_LIST", "").split()
    for place in places:
        host = place.partition(":")[0]
        try:
            socket.getaddrinfo(host, None)
        except OSError as error:
            found = f"EPICS_CA_ADDR_LIST names {host}, which has no address: {error.strerror}"
            yield warn("EPICS", found, "correct it", f"getent hosts {host}")
    automatic = environment.get("EPICS_CA_AUTO_ADDR_LIST", "YES").upper() != "NO"
    if not automatic and not places:
        yield fail(
            "EPICS",
            "clients look for PVs nowhere: EPICS_CA_AUTO_ADDR_LIST is NO and EPICS_CA_ADDR_LIST is empty",
            "name the hosts or broadcast addresses of the IOCs",
            "export EPICS_CA_ADDR_LIST=127.0.0.1",
        )
    else:
        where = [*places, *(["all networks of this machine"] if automatic else [])]
        yield ok("EPICS", f"clients look for PVs in {', '.join(where)}")
    yield from _array_bytes(site, environment.get("EPICS_CA_MAX_ARRAY_BYTES", ""))
    for name in site.pvs:
        yield _search(name, site.timeout)


def _array_bytes(site: Site, most: str) -> Iterator[Finding]:
    if site.plan is not None and most.isdigit() and int(most) < site.plan.image_bytes:
        yield warn(
            "EPICS",
            f"EPICS_CA_MAX_ARRAY_BYTES={most} is less than an image of {readable(site.plan.image_bytes)}",
            "clients of that environment could not read it",
            f"export EPICS_CA_MAX_ARRAY_BYTES={2 * site.plan.image_bytes}",
        )


def _search(name: str, timeout: float) -> Finding:
    command = f"caget {name}"
    if not installed("epics"):
        return warn(
            "EPICS", f"{name} was not looked for", "install caproto", "pip install 'repstream[epics]'"
        )
    client = importlib.import_module("caproto.sync.client")
    errors = importlib.import_module("caproto")
    try:
        client.read(name, timeout=timeout, repeater=False)
    except (TimeoutError, OSError, errors.CaprotoError) as error:
        advice = (
            "start its IOC; across networks name its host in EPICS_CA_ADDR_LIST; open UDP and TCP port 5064"
        )
        return fail("EPICS", f"nobody answers to {name}: {error or 'no answer in time'}", advice, command)
    return ok("EPICS", f"{name} answers")
