"""The certificate of a server: examined before it is used, read again when its files have changed."""

from __future__ import annotations

import logging
import ssl
from pathlib import Path

from repstream.errors import Refused

log = logging.getLogger(__name__)

CERTIFICATE_MARK, KEY_MARK, ENCRYPTED_MARK = "-----BEGIN CERTIFICATE", "PRIVATE KEY-----", "ENCRYPTED"
MOST_BYTES = 1 << 20
EXPIRED, NOT_YET = 10, 9
"""OpenSSL's codes of verification (X509_V_ERR_CERT_HAS_EXPIRED, …_NOT_YET_VALID)."""
_NO_MATCH = frozenset({"KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH", "NO_CERTIFICATE_ASSIGNED"})
_FLIGHTS = 8
"""Turns that a handshake takes at most; TLS 1.2 needs four."""

Stamp = tuple[int, ...]


class Certificate:
    """A certificate with the chain up to its CA, and its private key, both PEM. Thread-safe.

    Raises `Refused` for files that cannot serve: unreadable, no certificate or key, a key of another
    certificate or with a pass phrase, a certificate that is not valid now.
    """

    def __init__(self, certificate: Path, key: Path) -> None:
        self.certificate = certificate
        self.key = key
        self._stamp = self._stamped()
        self._context, self.expires = examined(certificate, key)

    def context(self) -> ssl.SSLContext:
        """What a connection that begins now is encrypted with.

        Files that changed are taken up, unless they cannot serve: then the log says why, and the former ones
        stay in use.
        """
        stamp = self._stamped()
        if stamp != self._stamp:
            self._stamp = stamp
            try:
                self._context, self.expires = examined(self.certificate, self.key)
                log.info("the certificate %s was read again", self.certificate)
            except Refused as error:
                log.error("the former certificate stays in use: %s", error)
        return self._context

    def own_client(self) -> ssl.SSLContext:
        """For a client of the same process, which trusts this certificate whatever the name of the host."""
        return _trusting(self.certificate)

    def _stamped(self) -> Stamp:
        found: list[int] = []
        for path in (self.certificate, self.key):
            try:
                seen = path.stat()
            except OSError:
                found.append(0)
            else:
                found += [seen.st_ino, seen.st_mtime_ns, seen.st_size]
        return tuple(found)


def given(certificate: Path | None, key: Path | None) -> Certificate | None:
    """The certificate of these two options; None where neither is given. Raises `Refused`."""
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        missing, there = ("a certificate", "the key") if certificate is None else ("a key", "the certificate")
        raise Refused(
            "TLS", f"{missing} is missing beside {there} {certificate or key}; give both or neither"
        )
    return Certificate(certificate, key)


def examined(certificate: Path, key: Path) -> tuple[ssl.SSLContext, float]:
    """What serves with these files, and when they expire (Unix seconds); raises `Refused`."""
    if CERTIFICATE_MARK not in _text(certificate):
        raise Refused(
            str(certificate), "holds no certificate in PEM form; `openssl x509 -text -in` shows one"
        )
    text = _text(key)
    if KEY_MARK not in text:
        raise Refused(str(key), "holds no private key in PEM form, which begins with -----BEGIN PRIVATE KEY")
    if ENCRYPTED_MARK in text:
        raise Refused(
            str(key),
            f"has a pass phrase, which nobody can type here; `openssl pkey -in {key} -out FILE` takes it off",
        )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, key)
    except ssl.SSLError as error:
        if error.reason in _NO_MATCH:
            reason = f"does not belong to {certificate}; give the key that the certificate was requested with"
            raise Refused(str(key), reason) from error
        raise Refused(str(certificate), f"and {key} cannot be used: {error.reason or error}") from error
    return context, _expiry(context, certificate)


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(MOST_BYTES).decode("ascii", "replace")
    except OSError as error:
        reason = (
            f"cannot be read: {error.strerror}; it must be there, and readable for the user of the service"
        )
        raise Refused(str(path), reason) from error


def _expiry(context: ssl.SSLContext, certificate: Path) -> float:
    """Shake hands as a client would, in memory: that says whether the certificate is valid now."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = context.wrap_bio(to_server, to_client, server_side=True)
    try:
        client = _trusting(certificate).wrap_bio(to_client, to_server)
        for _ in range(_FLIGHTS):
            for side in (client, server):
                try:
                    side.do_handshake()
                except ssl.SSLWantReadError:
                    continue
    except ssl.SSLCertVerificationError as error:
        raise Refused(str(certificate), _why_not(error, certificate)) from error
    except ssl.SSLError as error:
        raise Refused(str(certificate), f"cannot be used: {error.reason or error}") from error
    return float(ssl.cert_time_to_seconds(str((client.getpeercert() or {})["notAfter"])))


def _why_not(error: ssl.SSLCertVerificationError, certificate: Path) -> str:
    shows = f"`openssl x509 -noout -dates -in {certificate}` shows from when until when"
    if error.verify_code == EXPIRED:
        return f"has expired, or a certificate of its chain has; have it renewed; {shows}"
    if error.verify_code == NOT_YET:
        return f"is not valid yet; set the clock, or wait; {shows}"
    return f"is no certificate for a server: {error.verify_message}"


def _trusting(certificate: Path) -> ssl.SSLContext:
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.load_verify_locations(certificate)
    client.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
    return client
