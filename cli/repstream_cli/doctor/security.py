"""Who could get in who should not: certificates, secret keys, tokens, and servers open to a network."""

from __future__ import annotations

import time
from collections.abc import Iterator

from repstream import private_file
from repstream.errors import Refused
from repstream.sockets.keys import SECRET, Keys
from repstream_cli.doctor.finding import Finding, fail, ok, warn
from repstream_cli.doctor.site import Site
from repstream_http.certificate import examined
from repstream_http.tokens import TokenFile

LOCAL = frozenset({"127.0.0.1", "::1", "localhost"})
DAY = 86400
SOON = 30
"""Days before its end at which a certificate should be renewed."""


def certificate(site: Site) -> Iterator[Finding]:
    """Can the certificate serve, for how long, and who may read its key?"""
    pem, key = site.secrets.certificate, site.secrets.key
    if pem is None or key is None:
        return
    try:
        _, expires = examined(pem, key)
    except Refused as error:
        yield fail(
            "certificate",
            str(error),
            "correct that: no server starts with it",
            f"openssl x509 -text -noout -in {pem}",
        )
        return
    days = int((expires - time.time()) // DAY)
    if days < SOON:
        advice = "have it renewed; running servers take the new files up by themselves"
        yield warn(
            "certificate", f"{pem} expires in {days} days", advice, f"openssl x509 -dates -noout -in {pem}"
        )
    else:
        yield ok("certificate", f"{pem} belongs to {key} and is good for {days} days")
    if private_file.is_exposed(key):
        yield fail("certificate", f"others may read {key}", "let its owner alone read it", f"chmod 600 {key}")


def keys(site: Site) -> Iterator[Finding]:
    """Are the secret keys of encrypted sockets secret, and those there that the configuration names?"""
    known = Keys(site.secrets.keys)
    for key in known:
        if known.is_exposed(key.name):
            path = known.place / f"{key.name}{SECRET}"
            advice = f"let its owner alone read it; if somebody has, `repstream keys rotate {key.name}`"
            yield fail("keys", f"others may read {path}", advice, f"chmod 600 {path}")
    sections = {"source": site.configuration.source} | {
        f"streams.{name}": stream for name, stream in site.configuration.streams.items()
    }
    for name, section in sections.items():
        if not section.curve_key:
            continue
        try:
            Keys(site.secrets.keys, f"{name}.curve_key").pair(section.curve_key)
        except Refused as error:
            yield fail(
                "keys",
                str(error),
                "add the key: the repeater does not start without it",
                "repstream keys list",
            )
        else:
            yield ok("keys", f"{name} is encrypted with {section.curve_key}")


def tokens(site: Site) -> Iterator[Finding]:
    """Is the file of tokens good, and is a server open to a network without any?"""
    path = site.secrets.tokens
    if path is not None:
        try:
            TokenFile(path).check()
        except Refused as error:
            yield fail(
                "tokens", str(error), "correct that: no server starts with it", "repstream tokens list"
            )
        else:
            yield ok("tokens", f"{path} has {len(TokenFile(path).good())} tokens that are good")
    elif site.secrets.host not in LOCAL and not site.secrets.has_token:
        yield warn(
            "tokens",
            f"everybody who reaches {site.secrets.host} may change everything over HTTP",
            "make a token and give the file as --http-tokens, or listen on this host only",
            "repstream tokens create NAME",
        )
