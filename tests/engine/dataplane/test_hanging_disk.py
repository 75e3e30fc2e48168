"""A disk that hangs while the process ends."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

PROGRAM = """
    import sys, threading
    from pathlib import Path
    from tests.engine.dataplane.bench import plan, writer_alone
    from repstream.dataplane.storing.frame_store import FrameStore
    from repstream.parameters.writer import WriterConfig

    hangs = threading.Event()

    def never_opens(store):
        hangs.set()
        threading.Event().wait()

    FrameStore.open = never_opens
    writer = writer_alone(WriterConfig(), lambda _: None, lambda: None)
    assert writer.arm(plan(Path(sys.argv[1]))) == ""
    assert hangs.wait(30)
    print("ends")
"""


def test_a_disk_that_hangs_does_not_keep_the_process_from_ending(tmp_path: Path) -> None:
    command = [sys.executable, "-c", textwrap.dedent(PROGRAM), str(tmp_path / "a.h5")]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout) == (0, "ends\n"), ended.stderr
