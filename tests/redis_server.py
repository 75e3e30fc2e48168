"""A real Redis, for tests of what is mirrored there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.integration.rig import until
from tests.ports import free_port


class Server:
    """A redis-server on a port of its own, which keeps nothing on disk."""

    def __init__(self, folder: Path) -> None:
        found = shutil.which("redis-server")
        if found is None:
            if os.environ.get("REPSTREAM_REQUIRE_ALL") == "1":
                pytest.fail("no redis-server: apt install redis-server")
            pytest.skip("no redis-server: apt install redis-server")
        self._program, self._folder, self.port = found, folder, free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.client: Any = redis.Redis(port=self.port, decode_responses=True)

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", str(self._folder)]
        self._process = subprocess.Popen([self._program, *options], stdout=subprocess.DEVNULL)
        until(self._answers, "redis-server")

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def documents(self, stream: str) -> list[Any]:
        return [json.loads(fields["json"]) for _, fields in self.client.xrange(stream)]

    def _answers(self) -> bool:
        try:
            return bool(self.client.ping())
        except redis.ConnectionError:
            return False
