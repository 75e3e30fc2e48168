"""Control of the simulated detector, under both names that the standard DAQ has had for it."""

from __future__ import annotations

from fastapi import FastAPI

from repstream.errors import Refused
from repstream_http.compat.simulator import Simulator
from repstream_http.compat.std_daq.convention import Answer, Work, route

TOMCAT = {"pco": "array-1.0", "gigafrost": "gigafrost"}
"""Detectors of the newer routes, and the header that each sends."""


def install(app: FastAPI, simulator: Simulator | None) -> None:
    """Add the routes; without a `simulator` each says why it has none."""

    def offer(method: str, path: str, act: str, header: str = "") -> None:
        app.add_api_route(path, route(_work(simulator, act, header)), methods=[method])

    offer("GET", "/simulation/status", "")
    for act in ("start", "stop"):
        offer("POST", f"/simulation/{act}", act)
        for detector, header in TOMCAT.items():
            offer("POST", f"/api/test/tomcat/{detector}/simulator/{act}", act, header)


def _work(simulator: Simulator | None, act: str, header: str) -> Work:
    def work(body: object, asker: object) -> Answer:
        if simulator is None:
            raise Refused("simulator", "there is no simulated detector here: serve it with --simulator")
        if act == "start":
            simulator.start(header)
        elif act == "stop":
            simulator.stop()
        state = simulator.state()
        status = "STREAMING" if state.streaming else "READY"
        return {
            "message": f"Simulator is {status}",
            "simulator": {"status": status, "stats": {"n_generated_images": state.images}},
        }

    return work
