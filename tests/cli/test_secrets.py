"""Keys and tokens stay out of the log, the right ones and those that somebody tries."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import httpx
import pytest

import repstream
from repstream.errors import RepstreamError
from tests.cli.running import free_port, started

KEY, READ, CHANGE = "key-of-the-engine", "token-for-reading", "token-for-changing"
WRONG_KEY, WRONG_TOKEN = "key-that-is-wrong", "token-that-is-wrong"


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_no_secret_is_logged(tmp_path: Path, log_format: str) -> None:
    port = free_port()
    address, url = f"tcp://127.0.0.1:{free_port()}", f"http://127.0.0.1:{port}"
    environment = {
        **os.environ,
        "REPSTREAM_KEY": KEY,
        "REPSTREAM_HTTP_READ_TOKEN": READ,
        "REPSTREAM_HTTP_CHANGE_TOKEN": CHANGE,
    }
    site = ("--engine-address", address, "--http-port", port, "--root", tmp_path, "--log-format", log_format)
    with started("serve", *site, "--no-tango", "--no-epics", environment=environment) as serve:
        assert serve.stdout
        next(line for line in serve.stdout if "serving" in line)
        with pytest.raises(RepstreamError), repstream.Client(address, key=WRONG_KEY):
            pass
        with repstream.Client(address, key=KEY) as client:
            assert client.read("engine.name") is not None
        answers = [
            httpx.post(f"{url}/api/v1/login", json={"token": token}, timeout=30).status_code
            for token in (WRONG_TOKEN, READ, CHANGE)
        ]
        assert answers == [401, 200, 200]
        headers = {"Authorization": f"Bearer {WRONG_TOKEN}"}
        assert httpx.get(f"{url}/api/v1/state", headers=headers, timeout=30).status_code == 401
        headers = {"Authorization": f"Bearer {CHANGE}"}
        shown = httpx.get(f"{url}/log", headers=headers, timeout=30).text
        serve.send_signal(signal.SIGTERM)
        said = "".join((*serve.communicate(timeout=30), shown))
    assert "INFO" in said or '"level"' in said
    for secret in (KEY, READ, CHANGE, WRONG_KEY, WRONG_TOKEN):
        assert secret not in said
