"""What stands before an application: who may ask, how fast, and from which page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from fastapi import FastAPI

from repstream.errors import InvalidValue, Refused
from repstream_http import certificate, options, refusal
from repstream_http.certificate import Certificate
from repstream_http.guard import Guard, Guarded, Wanted, by_method
from repstream_http.limits import Limited, Limits, Refusing, Tries
from repstream_http.origin import SameOriginOnly
from repstream_http.tokens import TokenFile


@dataclass(frozen=True, slots=True)
class Protection:
    """The protection of all servers of a program: tokens, limits, and the certificate for HTTPS."""

    guard: Guard = field(default_factory=Guard)
    limits: Limits = field(default_factory=Limits)
    certificate: Certificate | None = None

    @classmethod
    def of(
        cls,
        *,
        read_token: str = "",
        change_token: str = "",
        read_only: bool = False,
        tokens: Path | None = None,
        open_reading: bool = False,
        most_reads: float = options.MOST_READS,
        most_changes: float = options.MOST_CHANGES,
        tls_certificate: Path | None = None,
        tls_key: Path | None = None,
    ) -> Protection:
        """What the options of a program mean; raises `Refused` for what protects less than it seems to."""
        file = TokenFile(tokens) if tokens is not None else None
        if file is not None:
            file.check()
        for name, rate in (("reads", most_reads), ("changes", most_changes)):
            if rate < 0:
                raise InvalidValue(f"--http-max-{name}", f"must be 0 or more requests a second, not {rate:g}")
        try:
            guard = Guard(read_token, change_token, read_only, file, open_reading)
        except ValueError as error:
            raise Refused("tokens", str(error)) from error
        limits = Limits(most_reads, most_changes)
        return cls(guard, limits, certificate.given(tls_certificate, tls_key))


def protect(
    app: FastAPI,
    protection: Protection,
    *,
    refusing: Refusing = refusal.answer,
    wanted: Wanted = by_method,
    is_open: Callable[[str], bool] = lambda path: False,
) -> None:
    """Put the protection before an interface of a replaced system, in whose words it refuses.

    Its clients give a token as the password of basic authentication. A browser does so for every page that
    asks, so where there are tokens no page from elsewhere may change anything.
    """
    guard = protection.guard
    app.add_middleware(
        Guarded, guard=guard, tries=Tries(), refusing=refusing, wanted=wanted, is_open=is_open, basic=True
    )
    if guard.has_tokens:
        app.add_middleware(SameOriginOnly)
    app.add_middleware(Limited, limits=protection.limits, refusing=refusing)
