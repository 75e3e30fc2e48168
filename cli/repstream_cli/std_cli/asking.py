"""Asking a standard DAQ over REST: what it answers, or its reason as a `ToolError`."""

from __future__ import annotations

import json
from http.client import HTTPException
from typing import Any
from urllib.request import Request

from repstream import web_client
from repstream.errors import ToolError

FAILED = 1
"""The exit code after an error of the DAQ's."""


def ask(url_base: str, path: str, body: Any = None) -> dict[str, Any]:
    """The answer to a GET, or with a `body` to a POST. Waits as long as it takes.

    Raises `ToolError` where nobody answers, not in JSON, or with an error.
    """
    if not url_base.startswith(("http://", "https://")):
        raise ToolError(f"{web_client.shown(url_base)!r} is no base URL; it is like http://127.0.0.1:5000")
    url = url_base.rstrip("/") + path
    name = web_client.shown(url)
    data = None if body is None else json.dumps(body).encode()
    request = Request(url, data, {"content-type": "application/json", "x-requested-by": "std_cli"})
    try:
        with web_client.opened(request) as answer:
            given = json.load(answer)
    except (OSError, HTTPException) as error:
        raise ToolError(f"{name}: {web_client.reason(error)}", FAILED) from error
    except ValueError as error:
        raise ToolError(f"{name} does not answer in JSON: {error}", FAILED) from error
    if not isinstance(given, dict) or given.get("status") != "ok":
        reason = given.get("message") if isinstance(given, dict) else given
        raise ToolError(str(reason), FAILED)
    return given
