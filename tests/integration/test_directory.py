"""What an engine has, listed by rule; the same over HTTP, Channel Access and PV Access."""

from __future__ import annotations

import json
from pathlib import Path

import httpx

from repstream.parameters.catalogue import build
from repstream.parameters.directory import directory, keys
from repstream.protocol import Requester
from repstream_epics.server import IocServer
from repstream_http import HttpServer, create_app
from tests.fakes import running_engine
from tests.ioc.clients import Pyepics
from tests.ioc.pva_client import PREFIX, client, serving
from tests.waiting import until

ME = Requester("test")


def test_only_filled_slots_are_listed_with_what_operators_set() -> None:
    catalogue = build()
    values = dict.fromkeys(catalogue.parameters) | {
        "engine.name": "x",
        "streams.2.name": "live",
        "streams.2.address": "tcp://127.0.0.1:1",
        "streams.2.format": "bsread",
    }
    found = directory(catalogue, values, lambda group, slot: {"place": f"{group}{slot}"})
    assert found["name"] == "x" and found["place"] == "engine0"
    (live,) = found["streams"]
    assert (live["slot"], live["name"], live["place"]) == (2, "live", "streams2")
    assert (live["address"], live["format"]) == ("tcp://127.0.0.1:1", "bsread")
    assert found["writers"] == [] and [p["slot"] for p in found["pictures"]] == [1, 2]
    assert not any("sent" in key or "rate" in key for key in keys(catalogue))


def test_it_is_the_same_wherever_it_is_read_and_follows(tmp_path: Path) -> None:
    with (
        running_engine(tmp_path) as engine,
        IocServer({"test": engine}, PREFIX, port=0) as ioc,
        Pyepics(ioc.port) as ca,
        serving({"test": engine}) as server,
        client(server) as pva,
        HttpServer(create_app({"test": engine}), port=0) as web,
        httpx.Client(base_url=web.url, timeout=20) as http,
    ):

        def seen() -> list[dict[str, object]]:
            over_http = http.get("/api/v1/directory").json()["engines"][0]
            over_ca = json.loads(ca.value(PREFIX + "Directory_RBV"))
            over_pva = json.loads(pva.get(PREFIX + "Directory_RBV", timeout=20))
            return [over_http, over_ca, over_pva]

        over_http, over_ca, over_pva = seen()
        assert over_ca == over_pva
        assert over_ca["pictures"][0]["image"] == f"{PREFIX}Pictures1:Image"
        assert over_ca["streams"][0]["pvs"] == f"{PREFIX}Strm1:"
        assert over_http["path"] == "/api/v1/engines/test"
        for stream in over_ca["streams"]:
            assert stream["pvs"] + "Address_RBV" in ioc.channels
        assert [s["address"] for s in over_http["streams"]] == [s["address"] for s in over_ca["streams"]]
        engine.write({"streams.1.format": "array-1.0"}, ME)
        until(lambda: [one["streams"][0]["format"] for one in seen()] == ["array-1.0"] * 3, "the change")
