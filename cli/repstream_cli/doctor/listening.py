"""The ports that servers are to listen on, and the detector's."""

from __future__ import annotations

import socket
from collections.abc import Iterator

from repstream_cli.doctor.finding import Finding, fail, ok, warn
from repstream_cli.doctor.site import Site
from repstream_cli.ports import host_and_port, is_free


def ports(site: Site) -> Iterator[Finding]:
    """Are the ports free?"""
    for listener in site.listeners:
        where = f"{listener.host}:{listener.port}"
        try:
            free = is_free(listener.host, listener.port, listener.udp)
        except OSError as error:
            found = f"{listener.what} cannot listen on {listener.host}: {error.strerror}"
            yield fail("ports", found, "name an address of this machine with --host", "ip -brief address")
            continue
        if free:
            yield ok("ports", f"{where} is free for {listener.what}")
        else:
            command = f"ss -ltnup 'sport = :{listener.port}'"
            advice = f"another program has it; end that, or take another port with {listener.option}"
            yield fail("ports", f"{where} is taken, {listener.what} could not listen there", advice, command)


def detector(site: Site) -> Iterator[Finding]:
    """Does the detector answer, where we are to connect to it?"""
    source = site.configuration.source
    place = host_and_port(source.address)
    if source.connection != "connect" or place is None or not place[1]:
        return
    if site.engine is not None:
        if site.engine.source_connected:
            yield ok("detector", f"the engine is connected to {source.address}")
            return
        problem = site.engine.link_problem or "nothing answers there"
        found = f"the engine is not connected to {source.address}: {problem}"
    else:
        try:
            socket.create_connection(place, site.timeout).close()
        except OSError as error:
            found = f"nothing answers at {source.address}: {error.strerror or error}"
        else:
            yield ok("detector", f"{source.address} answers")
            return
    advice = "start the detector's stream, or correct source.address; frames are taken as soon as it answers"
    yield warn("detector", found, advice, f"nc -zv {place[0]} {place[1]}")
