"""HTTP requests to servers of ours and of cam_server's kind: whom they trust, and the token that they bring.

Both come from the environment, as tokens in arguments can be read by every user of the host. One in a URL
(``http://anybody:TOKEN@daq:8888``) is sent all the same, and never shown.
"""

from __future__ import annotations

import base64
import os
import ssl
import urllib.error
import urllib.request
from http import HTTPStatus
from http.client import HTTPResponse
from typing import cast
from urllib.parse import unquote, urlsplit, urlunsplit

CA_VARIABLE = "REPSTREAM_TLS_CA"
"""File with the certificate (PEM) of the CA that signed certificates of servers, beside the system's."""
TOKEN_VARIABLE = "REPSTREAM_HTTP_TOKEN"
"""Token that every request brings."""


def opened(request: urllib.request.Request, timeout: float | None = None) -> HTTPResponse:
    """Send a request and return its answer, open to be read.

    Raises `OSError`; `reason` says what it means and what to do.
    """
    user, at, _ = urlsplit(request.full_url).netloc.rpartition("@")
    if at:
        request.full_url = shown(request.full_url)
        given = base64.b64encode(unquote(user).encode()).decode()
        request.add_unredirected_header("Authorization", f"Basic {given}")
    elif token := os.environ.get(TOKEN_VARIABLE):
        request.add_unredirected_header("Authorization", f"Bearer {token}")
    context = _trusted() if request.type == "https" else None
    return cast("HTTPResponse", urllib.request.urlopen(request, timeout=timeout, context=context))


def shown(url: str) -> str:
    """A URL without user and password, which may be a token, for messages and logs."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def reason(error: Exception) -> str:
    """What went wrong with a request, for people."""
    if isinstance(error, urllib.error.HTTPError):
        hint = f"; {TOKEN_VARIABLE} must hold a token" if error.code == HTTPStatus.UNAUTHORIZED else ""
        return f"HTTP status {error.code} {error.reason}{hint}"
    found = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(found, ssl.SSLCertVerificationError):
        hint = f"; {CA_VARIABLE}=FILE names the certificate of the CA that signed it"
        return f"its certificate is not trusted: {found.verify_message}{hint}"
    return str(found)


def _trusted() -> ssl.SSLContext:
    context = ssl.create_default_context()
    if file := os.environ.get(CA_VARIABLE):
        try:
            context.load_verify_locations(file)
        except OSError as error:
            raise OSError(
                error.errno, f"{CA_VARIABLE}={file} holds no certificate that can be read"
            ) from error
    return context
