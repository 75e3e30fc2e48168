"""PvaPy's mirror server between a server of its own and a client, in an environment of their own.

PV Access gives a slow client the latest update and leaves out those between, so a source that is too
fast costs its client updates. The rate is that of the updates that arrive, at the one of several
source rates at which most do.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.loads import Load
from benchmarks.pairs import free_addresses
from benchmarks.peers import environments

RUN_SECONDS = 1.0
LADDER = (0.0, 4000.0, 2000.0, 1000.0, 500.0, 250.0)
"""Rates of the source that are tried, in updates a second; 0 is as fast as it can."""

SCRIPT = Path(__file__).with_name("pva_peer.py")


@contextmanager
def lane(load: Load) -> Iterator[Callable[[], float]]:
    """Yields a function that makes one run and returns updates a second at the client."""
    with ExitStack() as stack:
        source_port, mirror_port = (address.rsplit(":", 1)[1] for address in free_addresses(2))
        source = stack.enter_context(_peer("source", load, {"EPICS_PVAS_SERVER_PORT": source_port}))
        stack.enter_context(
            _peer(
                "mirror",
                load,
                {
                    "EPICS_PVA_NAME_SERVERS": f"127.0.0.1:{source_port}",
                    "EPICS_PVAS_SERVER_PORT": mirror_port,
                },
            )
        )
        sink = stack.enter_context(
            _peer("sink", load, {"EPICS_PVA_NAME_SERVERS": f"127.0.0.1:{mirror_port}"})
        )

        def run(rate: float) -> float:
            _tell(source, f"{rate} {RUN_SECONDS}")
            _tell(sink, f"{RUN_SECONDS * 0.8}")
            arrived = float(_hear(sink))
            _hear(source)
            return arrived

        best = max(LADDER, key=run)
        yield lambda: run(best)


@contextmanager
def _peer(role: str, load: Load, environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    local = {
        "EPICS_PVA_ADDR_LIST": "127.0.0.1",
        "EPICS_PVA_AUTO_ADDR_LIST": "NO",
        "EPICS_PVAS_INTF_ADDR_LIST": "127.0.0.1",
        "EPICS_PVA_BROADCAST_PORT": "5999",
    }
    with subprocess.Popen(
        [environments.python("pvapy"), str(SCRIPT), role, str(load.nbytes)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **local, **environment},
    ) as process:
        try:
            _hear(process)
            yield process
        finally:
            process.kill()


def _tell(process: subprocess.Popen[str], line: str) -> None:
    assert process.stdin is not None
    process.stdin.write(line + "\n")
    process.stdin.flush()


def _hear(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise RuntimeError("a process of PvaPy has ended")
    return line.strip()
