"""Which interfaces of replaced systems can be served, and where their clients look for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from fastapi import FastAPI
from fastapi.responses import JSONResponse

from repstream.link.history import History
from repstream.protocol import Engine
from repstream_http import refusal
from repstream_http.compat import gf_repstream
from repstream_http.compat.simulator import Simulator
from repstream_http.compat.std_daq import app as std_daq
from repstream_http.compat.std_daq_driver import app as std_daq_driver
from repstream_http.guard import Wanted, by_method
from repstream_http.limits import Refusing
from repstream_http.protection import Protection, protect
from repstream_http.tokens import Right


@dataclass(frozen=True, slots=True)
class View:
    """An interface: the application of one engine, the port its clients expect, what it is, its protocol.

    `refusing` makes a refusal in its words, `wanted` says what a request needs.
    """

    create_app: Callable[[Engine, History, Simulator | None], FastAPI]
    port: int
    text: str
    scheme: str = "http"
    refusing: Refusing = refusal.answer
    wanted: Wanted = by_method

    def protected(
        self, engine: Engine, history: History, simulator: Simulator | None, protection: Protection
    ) -> FastAPI:
        """The application of an engine behind its protection."""
        app = self.create_app(engine, history, simulator)
        protect(app, protection, refusing=self.refusing, wanted=self.wanted)
        return app


def _gf_refusal(status: int, path: str, reason: str) -> JSONResponse:
    return JSONResponse({"response": "error", "error": reason}, status_code=status)


def _std_refusal(status: int, path: str, reason: str) -> JSONResponse:
    return JSONResponse({"status": "error", "message": reason}, status_code=status)


VIEWS: Mapping[str, View] = {
    "gf_repstream": View(
        lambda engine, *_: gf_repstream.create_app(engine),
        gf_repstream.PORT,
        "gf_repstream's REST interface",
        refusing=_gf_refusal,
    ),
    "std_daq": View(
        std_daq.create_app, std_daq.PORT, "the standard DAQ's REST interface", refusing=_std_refusal
    ),
    "std_daq_driver": View(
        lambda engine, *_: std_daq_driver.create_app(engine),
        std_daq_driver.PORT,
        "the WebSocket of the standard DAQ's driver",
        "ws",
        wanted=lambda scope: Right.CHANGE,  # commands come through it
    ),
}


def chosen(given: Sequence[str]) -> dict[str, int]:
    """Ports by name from ``NAME`` (its usual port) or ``NAME=PORT``.

    Raises `ValueError` for a name that is none, a port that is none, and for two on one port.
    """
    ports: dict[str, int] = {}
    for text in given:
        name, _, port = text.partition("=")
        if name not in VIEWS:
            raise ValueError(f"{name!r} is no view; there are {', '.join(VIEWS)}")
        if port and not (port.isdecimal() and 1 <= int(port) <= 65535):
            raise ValueError(f"{text!r}: a port is a number from 1 to 65535")
        ports[name] = int(port) if port else VIEWS[name].port
        if (other := next((n for n, p in ports.items() if p == ports[name] and n != name), "")) != "":
            raise ValueError(
                f"{other} and {name} would both listen on port {ports[name]}; move one: {name}=PORT"
            )
    return ports
