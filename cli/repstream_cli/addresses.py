"""Where everything can be reached, and what to type there, as lines for people."""

from __future__ import annotations

from urllib.parse import urlsplit

from repstream_cli.ports import reachable
from repstream_cli.stack import HttpOptions, Stack


def local(host: str) -> str:
    """The host by which this machine reaches a server that listens on `host`."""
    return "127.0.0.1" if host in ("0.0.0.0", "::") else host


def tango_name(stack: Stack, device: str) -> str:
    """The full name of a device, which needs no TANGO_HOST."""
    tango = stack.options.tango
    assert tango is not None
    if tango.database:
        return f"tango://{tango.database}/{device}"
    return f"tango://{local(stack.options.host)}:{tango.port}/{device}#dbase=no"


def epics_environment(stack: Stack) -> dict[str, str]:
    """What Channel Access clients on this machine need to find this IOC and no other."""
    return {
        "EPICS_CA_ADDR_LIST": local(stack.options.host),
        "EPICS_CA_AUTO_ADDR_LIST": "NO",
        "EPICS_CA_SERVER_PORT": str(stack.epics_port),
    }


def http_url(stack: Stack) -> str:
    """Where the page and the HTTP API are reached from this host."""
    secure = stack.options.http.secure if stack.options.http else ""
    return f"http{secure}://{local(stack.options.host)}:{stack.http_port}"


def lines(stack: Stack) -> list[str]:
    """One line for each way in."""
    http = stack.options.http
    found = [f"page    {http_url(stack)}/"] if http is not None and http.port is not None else []
    found.append(f"engine  {reachable(stack.engine_address)}")
    if stack.options.tango is not None:
        found.append(f"Tango   {tango_name(stack, 'repstream/repeater/1')}")
        if lima := stack.options.tango.lima:
            found.append(f"Tango   {tango_name(stack, lima)} (Lima)")
    if stack.options.epics is not None:
        found.append(f"EPICS   {stack.options.epics.prefix}State_RBV on port {stack.epics_port}")
        if prefix := stack.options.epics.area_detector:
            found.append(f"EPICS   {prefix}cam1:, {prefix}HDF1: (areaDetector) on port {stack.epics_port}")
        if stack.pva_port:
            found.append(f"EPICS   pva://{stack.options.epics.prefix}… (PV Access) on port {stack.pva_port}")
    if http is not None:
        found += [f"HTTP    {http_url(stack)}/api/v1"] if http.port is not None else []
        found += _views(http, local(stack.options.host))
    if stack.options.redis is not None:
        there = urlsplit(stack.options.redis.url)  # without a password
        where = f"{there.hostname}:{there.port or 6379}" if there.hostname else there.path
        found.append(f"Redis   {stack.options.redis.namespace}:status and others at {where}")
    return found


def _views(http: HttpOptions, host: str) -> list[str]:
    from repstream_http.compat.views import VIEWS  # noqa: PLC0415 - an extra

    return [
        f"        {name} at {VIEWS[name].scheme}{http.secure}://{host}:{port}"
        for name, port in http.views.items()
    ]
