"""The HTTP front end as the conformance suite sees it: a real server, httpx and websockets."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from queue import Queue
from typing import Any

import httpx
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from repstream.parameters.facts import Severity, Value
from repstream.protocol import Engine
from repstream_http import HttpServer, create_app
from repstream_http.types import CANNOT
from tests.conformance.client import FrontEndClient, Rejected

WAIT = 60.0


class HttpClient:
    """Fills `FrontEndClient` with httpx and websockets."""

    name = "http"
    cannot = CANNOT

    def __init__(self, url: str) -> None:
        self._http = httpx.Client(base_url=f"{url}/api/v1", timeout=WAIT + 10)
        self._changes = f"ws{url.removeprefix('http')}/api/v1/changes"

    def close(self) -> None:
        self._http.close()

    def keys(self) -> Iterator[str]:
        return (facts["slot_key"] for facts in _answer(self._http.get("/catalogue"))["parameters"])

    def read(self, key: str) -> Value:
        value: Value = self._parameter(key)["value"]
        return value

    def write(self, key: str, value: Value) -> None:
        _answer(self._http.put(f"/parameters/{key}", json={"value": value}))

    def execute(self, command: str, argument: Value = None) -> None:
        answer = _answer(self._http.post(f"/commands/{command}", json={"argument": argument, "wait": WAIT}))
        assert answer["done"], f"{command} has not ended in {WAIT} s"

    def facts(self, key: str) -> Mapping[str, object]:
        told = self._parameter(key)
        alarm = told["alarm"] or {}
        levels = ("alarm_low", "warning_low", "warning_high", "alarm_high")
        same = ("writable", "unit", "title", "description", "level", "default", "length")
        return {
            **{fact: told[fact] for fact in same},
            "limits": (told["minimum"], told["maximum"]),
            "choices": tuple(told["choices"]),
            "alarm": tuple(alarm.get(level) for level in levels),
            "severity": int(Severity[told["severity"].upper()]),
        }

    @contextmanager
    def watch(self, key: str) -> Iterator[Queue[Value]]:
        values: Queue[Value] = Queue()
        with connect(self._changes) as socket:
            reader = threading.Thread(target=_hand_on, args=(socket, key, values), daemon=True)
            reader.start()
            try:
                yield values
            finally:
                socket.close()
                reader.join()

    def _parameter(self, key: str) -> dict[str, Any]:
        found: dict[str, Any] = _answer(self._http.get(f"/parameters/{key}"))
        return found


@contextmanager
def serving(engine: Engine, address: str) -> Iterator[FrontEndClient]:
    """The HTTP front end of this engine on a free port, and a client of it."""
    with HttpServer(create_app({"test": engine}), port=0) as server:
        client = HttpClient(server.url)
        try:
            yield client
        finally:
            client.close()


def _answer(response: httpx.Response) -> Any:
    answer = response.json()
    if response.is_error:
        raise Rejected(f"{answer['error']['subject']}: {answer['error']['reason']}")
    return answer


def _hand_on(socket: ClientConnection, key: str, values: Queue[Value]) -> None:
    """Put every announced value of a key, given with its slot, into the queue."""
    shown = key
    try:
        for text in socket:
            message = json.loads(text)
            if message["type"] == "snapshot":
                heads = {slot: name for name, slot in message["slots"].items()}
                head, _, field = key.rpartition(".")
                shown = f"{heads.get(head, head)}.{field}"
            if shown in message.get("values", {}):
                values.put(message["values"][shown])
    except ConnectionClosed:
        pass
