"""The original m_split (psi-mflow), in an environment of its own."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.ceilings import Output
from benchmarks.loads import Load
from benchmarks.peers import environments


@contextmanager
def forward(load: Load, address: str, outputs: Sequence[Output]) -> Iterator[None]:
    """Its process, with the queues that all contenders have, until the block ends."""
    # Only an address that begins so is bound by it.
    streams = [{"address": f"tcp://*:{output.address.rsplit(':', 1)[1]}"} for output in outputs]
    configuration = {
        "source": {"address": address, "queue_size": load.hwm},
        "streams": [{**stream, "mode": "PUSH", "queue_size": load.hwm} for stream in streams],
    }
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "split.json"
        file.write_text(json.dumps(configuration))
        command = [environments.python("mflow"), "-m", "mflow.cli.split", "-c", str(file)]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            yield
        finally:
            process.kill()
            process.wait()
