"""A page followed as a reader does: blocks as they stand, one after the other, on a host of their own.

``unshare -rnm python -m tests.recipes.walk PAGE FOLDER``: in these namespaces every port is free, the
hosts that pages name are this one, and what pages write to `/tmp` and `/data` is in FOLDER.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tests.recipes.blocks import ROOT, Block, blocks

ELSEWHERE = re.compile(r"(?<![\w/])/(data|etc/repstream)\b")
"""Folders of pages that no test may make."""

HOSTS = "127.0.0.1 localhost daq detector gateway\n"
PATIENCE = 100
"""Seconds that a server may take to listen, and a block to end."""


@dataclass(frozen=True)
class Step:
    """The block that holds `text`.

    With `ports` it is a server, which runs till the walk ends; as many lines as ports are a server each.
    What is `patient` is tried again, as by a reader who waits for what takes a moment.
    """

    text: str
    ports: tuple[int, ...] = ()
    patient: bool = False


DETECTOR = "repstream simulate --size 64x64 --rate 100"
"""What stands for the reader's own detector, where a page begins with one that is there."""

WALKS: Mapping[str, Sequence[Step]] = {
    "docs/tutorials/first-acquisition.md": (
        Step("repstream simulate\n", (9609,)),
        Step("cat > /tmp/config.json", (8000,)),
        Step("repstream consume tcp://127.0.0.1:9610 --mode sub -n 20"),
        Step("repstream verify /tmp/scan_0.h5"),
        Step('image(frame_id, (1200, 2016), "uint16")'),
    ),
    "docs/how-to/cameras.md": (
        Step("camera_server -i", (8888, 8889)),
        Step("8889/api/v1/pipeline/beam/config"),
        Step("beam = tango.DeviceProxy", patient=True),
        Step("caput -c beam:Start 1"),
    ),
    "docs/how-to/coming-from-std-daq.md": (
        Step(DETECTOR, (9609,)),
        Step("--view std_daq --view std_daq_driver", (8000, 5000, 8080)),
        Step("StdDaqClient"),
        Step("ws://127.0.0.1:8080"),
        Step("std_cli_write_sync"),
    ),
    "docs/how-to/security.md": (
        Step("openssl req"),
        Step("repstream tokens create anna", (8000,)),
        Step("curl --cacert daq.pem"),
    ),
}
"""What is done of each page, in this order."""


def block_of(page: str, step: Step) -> Block:
    """The block of a step; the detector is on no page."""
    if step.text == DETECTOR:
        return Block(page, 0, "sh", DETECTOR)
    (found,) = [block for block in blocks(ROOT / page) if step.text in block.text]
    return found


def main(page: str, folder: Path) -> None:
    """Do every step; ends with what the first that fails has said."""
    loopback_up()
    (folder / "hosts").write_text(HOSTS)
    mounts: list[tuple[Path, Path]] = [(folder / "hosts", Path("/etc/hosts")), (folder, Path("/tmp"))]
    if ROOT.is_relative_to("/tmp"):  # what is there disappears otherwise
        own = folder / ROOT.relative_to("/tmp")
        own.mkdir(parents=True)
        mounts.insert(0, (ROOT, own))
    for here, there in mounts:
        subprocess.run(["mount", "--rbind", here, there], check=True)
    home = Path("/tmp/home/.local/bin")
    for made in (home, Path("/tmp/data"), Path("/tmp/etc/repstream")):
        made.mkdir(parents=True)
    Path("/tmp/examples").symlink_to(ROOT / "examples")
    impatient(home / "camonitor")
    environment = {
        **os.environ,
        "HOME": "/tmp/home",
        "PATH": f"{home}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        "EPICS_CA_ADDR_LIST": "127.0.0.1",
        "EPICS_CA_AUTO_ADDR_LIST": "NO",
    }
    with ExitStack() as stack:
        for step in WALKS[page]:
            block = block_of(page, step)
            text = ELSEWHERE.sub(r"/tmp/\1", block.text)
            if step.ports:
                lines = text.splitlines()
                for server in lines if len(lines) == len(step.ports) else [text]:
                    stack.callback(end, begin(server, environment))
                for port in step.ports:
                    wait_for(port, step.text)
            else:
                run(text, block.language, environment, step.patient)


def run(text: str, language: str, environment: Mapping[str, str], patient: bool) -> None:
    """A block to its end; raises where it fails."""
    line = [sys.executable, "-c", text] if language == "python" else ["bash", "-euc", text]
    until = time.monotonic() + (PATIENCE if patient else 0)
    while True:
        try:
            subprocess.run(line, env=environment, cwd="/tmp", timeout=PATIENCE, check=True)
        except subprocess.CalledProcessError:
            if time.monotonic() > until:
                raise
            time.sleep(0.5)
        else:
            return


def impatient(program: Path) -> None:
    """Let a program that goes on for ever get its Ctrl-C."""
    real = shutil.which(program.name, path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    program.write_text(f'#!/bin/sh\ntimeout --signal INT 3 {real} "$@" || true\n')
    program.chmod(0o755)


def loopback_up() -> None:
    """A new network has a loopback that is down."""
    with socket.socket() as any_socket:
        up = struct.pack("16sh", b"lo", 1)  # IFF_UP
        fcntl.ioctl(any_socket, 0x8914, up)  # SIOCSIFFLAGS


def begin(text: str, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """A server, in a process group of its own."""
    line = ["bash", "-euc", text]
    return subprocess.Popen(line, env=environment, cwd="/tmp", start_new_session=True)


def wait_for(port: int, what: str) -> None:
    """Until somebody listens there."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    sys.exit(f"{what}: nobody listens on port {port}")


def end(server: subprocess.Popen[bytes]) -> None:
    """End it as Ctrl-C does; its whole group, where that does not suffice."""
    os.killpg(server.pid, signal.SIGINT)
    try:
        server.wait(30)
    finally:
        if server.poll() is None:
            os.killpg(server.pid, signal.SIGKILL)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
