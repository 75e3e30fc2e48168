"""The client of Lima that Sardana uses reads images that are in no file."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.device_servers.test_lima import NAME, Bench
from tests.device_servers.test_lima import served as served
from tests.integration.rig import IMAGES
from tests.panels.stage import SCRIPTS


def test_images_without_a_file_are_read_by_sardana_limaccd(python: Path, served: Bench) -> None:
    line = [
        python,
        SCRIPTS / "lima_client.py",
        f"tango://127.0.0.1:{served.lima.get_dev_port()}/{NAME}#dbase=no",
    ]
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True) as client:
        assert client.stdout is not None
        try:
            for _ in range(2):
                said = next(text for text in client.stdout if text[:1] in "s0123456789")
                assert said.strip() == "started"
                (image_id,) = served.send(1)
                assert int(next(client.stdout)) == int(IMAGES(image_id).sum())
            assert client.wait(30) == 0
        finally:
            client.kill()
