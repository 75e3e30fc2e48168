"""Nothing that is sent to a view of a replaced system disturbs it: random methods, paths, bodies, encodings.

What holds for every answer: its status and form are those that the system's clients expect, it shows nothing
of our insides, an error has changed nothing, and no file has come into being outside the roots.
"""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import h5py
import httpx
import numpy as np
import pytest
import simplejpeg
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from repstream.link.history import History
from repstream.protocol import Requester
from repstream_http import HttpServer
from repstream_http.compat import gf_repstream
from repstream_http.compat.std_daq import app as std_daq
from repstream_http.request import BODY_LIMIT
from tests.fakes import running_service
from tests.part_files import write
from tests.rest.compat.gf_repstream import TWO_STREAMS
from tests.rest.compat.std_daq import CONFIG

ME = Requester("test")
STD_DAQ = {
    "GET": [
        "/writer/status",
        "/status",
        "/daq/config",
        "/config",
        "/daq/stats",
        "/daq/logs/{}",
        "/daq/deployment",
        "/api/config/get",
        "/api/h5/read_metadata",
        "/api/h5/get_metadata_status",
        "/file/{}",
        "/file/{}/{}",
        "/simulation/status",
    ],
    "POST": [
        "/writer/write_async",
        "/write_async",
        "/writer/write_sync",
        "/write_sync",
        "/writer/stop",
        "/stop",
        "/daq/config",
        "/config",
        "/api/config/set",
        "/api/h5/create_interleaved_vds",
        "/simulation/start",
        "/simulation/stop",
    ],
}
GF = {
    "GET": ["/get_status", "/get_state", "/alive"],
    "POST": [
        "/initialize",
        "/set_config_from_dict",
        "/set_config_from_file",
        "/set_writer_config",
        "/set_writer_config_rest",
        "/start",
        "/stop",
    ],
}
WRITE = {"n_images": 3, "output_file": "{root}/inside/x.h5", "run_id": 7}
STREAMS = {**TWO_STREAMS, "stream_names": ["gpu", "std-det-writer"], "mode_metadata": "file"}
LIVE = {**CONFIG, "live_stream_configs": {"tcp://*:9800": {"type": "batch", "config": [2, 10]}}}
GF_WRITER = {**WRITE, "detector_name": "gigafrost", "user_id": 0}
GOOD: dict[str, dict[str, Any]] = {
    **dict.fromkeys(("/writer/write_async", "/write_async", "/writer/write_sync", "/write_sync"), WRITE),
    **dict.fromkeys(("/daq/config", "/config", "/api/config/set"), LIVE),
    "/api/h5/create_interleaved_vds": {
        "base_path": "{root}/inside",
        "output_file": "x.h5",
        "file_prefix": "file",
    },
    **dict.fromkeys(("/initialize", "/set_config_from_dict"), STREAMS),
    "/set_config_from_file": {"config_file": "{root}/config.json"},
    **dict.fromkeys(("/set_writer_config", "/set_writer_config_rest"), GF_WRITER),
}
"""A body that each route takes; what is sent differs from it in a key or two."""
NASTY = [
    "",
    ".",
    "..",
    "../outside/x.h5",
    "a\0b.h5",
    "/dev/zero",
    "/etc/passwd",
    "x" * 10_000,
    "/" * 300,
    "é\u202e\ud800",
    "%00",
    "%2e%2e%2f",
    "1e400",
    "-1",
    "{root}/out/x.h5",
    "{root}/link.h5",
    "{root}/../outside/x.h5",
    "{root}/inside/x.h5",
    "{root}/inside",
    "{root}/inside/file0.h5",
    "{root}/pipe",
    "{root}/" + "y" * 10_000 + ".h5",
    "{root}/gone/x.h5",
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(NASTY) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=6,
)


def bodies(good: dict[str, Any]) -> st.SearchStrategy[Any]:
    keys = st.sampled_from([*good, "config_file", "typo"])
    changes = st.dictionaries(keys, JSON, max_size=2)
    gone = st.sets(st.sampled_from([*good, ""]), max_size=1)
    changed = st.builds(
        lambda change, less: {k: v for k, v in {**good, **change}.items() if k not in less}, changes, gone
    )
    return st.integers(0, 3).flatmap(lambda n: changed if n else JSON)


CODINGS = {
    "json": lambda text: text.encode("utf-8", "surrogatepass"),
    "utf-16": lambda text: text.encode("utf-16", "surrogatepass"),
    "gzip": lambda text: gzip.compress(text.encode("utf-8", "surrogatepass")),
    "cut": lambda text: text.encode("utf-8", "surrogatepass")[:-1],
    "deep": lambda text: b"[" * 100_000,
    "large": lambda text: b'"' + b"x" * BODY_LIMIT + b'"',
    "bytes": lambda text: bytes(range(256)),
    "none": lambda text: b"",
}
METHODS = ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "PROPFIND"]


class Views:
    """Both views of one engine, whose root has links that lead out of it."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.root, self.outside = folder / "root", folder / "outside"
        write(self.root / "inside", [2, 1])
        write(self.outside, [1])
        (self.root / "out").symlink_to(self.outside)
        (self.root / "link.h5").symlink_to(self.outside / "new.h5")
        os.mkfifo(self.root / "pipe")
        (self.root / "config.json").write_text(json.dumps({"in-stream": {"address": "tcp://127.0.0.1:9990"}}))
        self.service, self.plane = stack.enter_context(running_service(self.root))
        self.acquisition = self._written(self.root / "run.h5")
        self.configuration = self.root / "initial.json"
        self.configuration.write_text(str(self.service.read("engine.config").value))
        history = stack.enter_context(closing(History(self.service)))
        apps = {
            "std_daq": std_daq.create_app(self.service, history),
            "gf_repstream": gf_repstream.create_app(self.service),
        }
        self.clients = {
            name: stack.enter_context(
                httpx.Client(base_url=stack.enter_context(HttpServer(app, port=0)).url, timeout=10)
            )
            for name, app in apps.items()
        }

    def _written(self, path: Path) -> str:
        """The id of an acquisition with the run id ``scan 7``, whose file has two images."""
        settings = {"writers.1.output_file": str(path), "writers.1.run_id": "scan 7"}
        self.service.write({**settings, "writers.1.num_images": 2}, ME)
        handle = self.service.execute("writers.1.start", None, ME)
        self.plane.receive(2)
        assert handle.wait(20).ok
        with h5py.File(path, "w") as file:
            file["entry/data/data"] = np.arange(2 * 30 * 40, dtype=np.uint16).reshape(2, 30, 40)
        return str(self.service.read("writers.1.acquisition_id").value)

    def state(self) -> dict[str, Any]:
        values = self.service.snapshot().values
        keys = ("engine.state", "engine.config", "writers.1.state", "writers.1.acquisition_id")
        return {key: values[key] for key in keys} | {"outside": self.files()}

    def files(self) -> dict[str, bytes]:
        found = [path for path in self.outside.parent.rglob("*") if not path.is_relative_to(self.root)]
        return {str(path): path.read_bytes() for path in found if path.is_file()}

    def rest(self) -> None:
        """Back to rest after a request that was taken."""
        for command, argument in (("engine.stop", None), ("engine.load_config", str(self.configuration))):
            completion = self.service.execute(command, argument, ME).wait(20)
            assert completion.ok, completion.message

    def named(self, value: Any) -> Any:
        """The value with the root in its texts."""
        if isinstance(value, str):
            return value.replace("{root}", str(self.root))
        if isinstance(value, list):
            return [self.named(item) for item in value]
        if isinstance(value, dict):
            return {key: self.named(item) for key, item in value.items()}
        return value


@pytest.fixture(scope="module")
def views(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Views]:
    with ExitStack() as stack:
        yield Views(tmp_path_factory.mktemp("views"), stack)


def path_of(template: str, fillings: list[str]) -> str:
    fill = iter([*fillings, "1", "1"])
    path = template
    while "{}" in path:
        path = path.replace("{}", quote(next(fill).encode("utf-8", "surrogatepass"), safe="") or "_", 1)
    return path


@settings(max_examples=150)
@given(data=st.data())
@pytest.mark.parametrize(("view", "routes"), [("std_daq", STD_DAQ), ("gf_repstream", GF)])
def test_whatever_is_sent_is_answered_in_the_form_that_clients_expect(
    views: Views, view: str, routes: dict[str, list[str]], data: st.DataObject
) -> None:
    method = data.draw(st.sampled_from(sorted(routes)))
    fillings = [views.named(text) for text in data.draw(st.lists(st.sampled_from(NASTY), max_size=2))]
    template = data.draw(st.sampled_from(routes[method]))
    path = path_of(template, fillings)
    query = data.draw(st.dictionaries(st.sampled_from(["filename", "first", "user"]), st.sampled_from(NASTY)))
    text = json.dumps(views.named(data.draw(bodies(GOOD.get(template, WRITE)))))
    content = CODINGS[data.draw(st.sampled_from([*["json"] * 8, *CODINGS]))](text)
    headers = {"content-type": data.draw(st.sampled_from(["application/json", "text/plain", "x"]))}
    if content[:2] == b"\x1f\x8b":
        headers["content-encoding"] = "gzip"
    views.plane.open_gate_gives(2**31)  # a request that is taken comes to its end
    before = views.state()
    pairs = {key: views.named(value).encode("utf-8", "surrogatepass") for key, value in query.items()}
    target = "&".join(f"{key}={quote(value)}" for key, value in pairs.items())
    answer = views.clients[view].request(method, f"{path}?{target}", content=content, headers=headers)
    elsewhere = "%2F" in path or bool({".", ".."} & set(path.split("/")))
    assert answer.status_code == 200 or (elsewhere and answer.status_code == 404), answer.text
    assert "Traceback" not in answer.text
    if path == "/api/config/get" or elsewhere:
        assert views.state() == before
        return
    told = answer.json()
    good, bad, reason = ("ok", "error", "message") if view == "std_daq" else ("success", "error", "error")
    assert told["status" if view == "std_daq" else "response"] in (good, bad)
    if bad in told.values():
        assert told[reason]
        assert "fault of" not in told[reason]
        assert views.state() == before
    else:
        views.rest()
        assert views.files() == before["outside"]


@settings(max_examples=150)
@given(data=st.data())
def test_files_and_images_are_shown_or_refused_whatever_they_are_asked_by(
    views: Views, data: st.DataObject
) -> None:
    """By acquisition and image, and by path: `/file/<id>/<i>` and `/api/h5/*` with files that there are."""
    before = views.state()
    numbers = ["0", "1", "2", "01", "-0", "+1", "1.0", "1e0", "0x1", "\u0661", "9" * 400, *NASTY]
    known = views.acquisition, "scan 7"
    name = data.draw(st.sampled_from(known) | st.sampled_from(NASTY))
    number = data.draw(st.sampled_from(numbers))
    path = data.draw(st.sampled_from(["/file/{}", "/file/{}/{}", "/api/h5/read_metadata"]))
    query = {"filename": data.draw(st.sampled_from(NASTY)), "first": number} if "h5" in path else {}
    pairs = {key: views.named(value).encode("utf-8", "surrogatepass") for key, value in query.items()}
    target = path_of(path, [views.named(name), views.named(number)])
    answer = views.clients["std_daq"].get(
        f"{target}?" + "&".join(f"{k}={quote(v)}" for k, v in pairs.items())
    )
    assert views.state() == before
    assert "Traceback" not in answer.text
    if "%2F" in target or {".", ".."} & set(target.split("/")):
        assert answer.status_code in (200, 404)
        return
    assert answer.status_code == 200
    if answer.headers["content-type"] == "image/jpeg":
        assert (name in known, number in ("0", "1", "01")) == (True, True)
        assert simplejpeg.decode_jpeg(answer.content).shape == (30, 40, 3)
        return
    told = answer.json()
    assert told["message"] and "fault of" not in told["message"]
    good = name in known if path == "/file/{}" else query.get("filename") == "{root}/inside/file0.h5"
    assert (told["status"] == "ok") <= good


@settings(max_examples=60)
@given(
    view=st.sampled_from(["std_daq", "gf_repstream"]),
    method=st.sampled_from(METHODS),
    path=st.lists(st.sampled_from([*NASTY[:12], "daq", "writer", "file", "api", "start"]), max_size=3),
    content=st.binary(max_size=50),
)
def test_an_unknown_route_is_unknown_and_nothing_more(
    views: Views, view: str, method: str, path: list[str], content: bytes
) -> None:
    assume(not {".", ".."} & set(path))  # the client takes those out of a path, which may be a known one then
    before = views.state()
    segments = [quote(segment.encode("utf-8", "surrogatepass"), safe="") for segment in path]
    answer = views.clients[view].request(method, "/nonsense/" + "/".join(segments), content=content)
    assert answer.status_code in (400, 404, 405)
    assert "Traceback" not in answer.text
    assert views.state() == before


@pytest.mark.parametrize(("view", "routes"), [("std_daq", STD_DAQ), ("gf_repstream", GF)])
def test_another_method_is_not_allowed(views: Views, view: str, routes: dict[str, list[str]]) -> None:
    before = views.state()
    for paths in routes.values():
        for path in paths:
            for method in METHODS:
                if not any(method == known and path in routes[known] for known in routes):
                    answer = views.clients[view].request(method, path_of(path, []), content=b"{}")
                    assert answer.status_code == 405, (method, path)
    assert views.state() == before
