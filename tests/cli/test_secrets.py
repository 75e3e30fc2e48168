"""Keys and tokens stay out of the log, the right ones and those that somebody tries."""

from __future__ import annotations

import json
import os
import re
import signal
from pathlib import Path

import httpx
import pytest

import repstream
from repstream import child
from repstream.errors import RepstreamError
from repstream.sockets.keys import Keys
from repstream_http.tokens import TokenFile
from tests.certificates import Authority
from tests.cli.running import free_port, started

KEY, READ, CHANGE = "key-of-the-engine", "token-for-reading", "token-for-changing"
ENCRYPTED = {"curve_key": "engine", "curve_peers": "*"}
NAMES_OF_KEYS = {
    "REPSTREAM_CURVE_KEY",
    "REPSTREAM_RAY_TOKEN",
    "REPSTREAM_SERVE_CURVE_KEY",
    "REPSTREAM_TLS_KEY",
}
"""These name keys, or files that hold a key or a token."""
WRONG_KEY, WRONG_TOKEN = "key-that-is-wrong", "token-that-is-wrong"


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_no_secret_is_logged(tmp_path: Path, log_format: str) -> None:
    port = free_port()
    address, url = f"tcp://127.0.0.1:{free_port()}", f"https://127.0.0.1:{port}"
    environment = {
        **os.environ,
        "REPSTREAM_KEY": KEY,
        "REPSTREAM_HTTP_READ_TOKEN": READ,
        "REPSTREAM_HTTP_CHANGE_TOKEN": CHANGE,
    }
    authority = Authority(tmp_path)
    files = authority.issue("server")
    keys = Keys(tmp_path / "keys")
    keys.create("engine")
    tokens = TokenFile(tmp_path / "tokens.json")
    named = tokens.create("anna", "change")
    tree = {"streams": {"live": {"address": f"tcp://127.0.0.1:{free_port()}", **ENCRYPTED}}}
    config = tmp_path / "c.json"
    config.write_text(json.dumps(tree))
    site = (
        *("--engine-address", address, "--http-port", port, "--root", tmp_path, "--log-format", log_format),
        *("--tls-certificate", files.certificate, "--tls-key", files.key, "--http-tokens", tokens.path),
        *("--keys", keys.place, "--config", config, "--start", "--verbose"),
    )
    with started("serve", *site, "--no-tango", "--no-epics", environment=environment) as serve:
        assert serve.stdout
        next(line for line in serve.stdout if "serving" in line)
        with pytest.raises(RepstreamError), repstream.Client(address, key=WRONG_KEY):
            pass
        with repstream.Client(address, key=KEY) as client:
            assert client.read("engine.name") is not None
        with httpx.Client(base_url=url, verify=authority.trusted(), timeout=30) as http:
            answers = [
                http.post("/api/v1/login", json={"token": token}).status_code
                for token in (WRONG_TOKEN, READ, CHANGE, named)
            ]
            assert answers == [401, 200, 200, 200]
            http.cookies.clear()
            headers = {"Authorization": f"Bearer {WRONG_TOKEN}"}
            assert http.get("/api/v1/state", headers=headers).status_code == 401
            # Where somebody puts a token that does not belong there: a query, a path, a user's password.
            for path in (
                f"/api/v1/state?token={CHANGE}",
                f"/api/v1/{CHANGE}",
                f"/api/v1/parameters/{CHANGE}",
            ):
                assert http.get(path, auth=("anna", CHANGE)).status_code in {404, 422}
            headers = {"Authorization": f"Bearer {CHANGE}"}
            shown = http.get("/api/v1/log", headers=headers).text
            shown += http.get("/api/v1/parameters", headers=headers).text
        serve.send_signal(signal.SIGTERM)
        said = "".join((*serve.communicate(timeout=30), shown))
    assert "INFO" in said or '"level"' in said
    private = [line for line in files.key.read_text().splitlines() if len(line) > 40]
    curve = keys.pair("engine").secret.decode()
    for secret in (KEY, READ, CHANGE, WRONG_KEY, WRONG_TOKEN, named, curve, *private):
        assert secret not in said


def test_processes_that_an_engine_starts_get_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in child.SECRET_VARIABLES:
        monkeypatch.setenv(name, "a-secret-of-the-servers")
    monkeypatch.setenv("REPSTREAM_KEYS", str(tmp_path))
    process, ours = child.start("http.server")  # it does not understand --fd, and says so
    ours.close()
    given = Path(f"/proc/{process.pid}/environ").read_bytes()
    process.wait(30)
    assert b"a-secret-of-the-servers" not in given
    assert b"REPSTREAM_KEYS=" in given


def test_every_secret_in_the_environment_is_withheld() -> None:
    """A variable that is added for a token or a key must be named there."""
    rooms = (Path(__file__).parents[2] / room for room in ("engine", "rest", "cli", "ioc", "device_servers"))
    named = {
        found
        for room in rooms
        for path in room.rglob("*.py")
        for found in re.findall(r"REPSTREAM_[A-Z_]*(?:TOKEN|KEY|PASSWORD|SECRET)\b", path.read_text())
    }
    assert named - NAMES_OF_KEYS == child.SECRET_VARIABLES - {"REPSTREAM_REDIS"}
