"""Child processes: ready, restarted, ended with their parent however that ends."""

import subprocess
import sys
import time

import pytest

from repstream.errors import ChildError
from repstream_cli.children import Child
from tests.cli.processes import below, still_alive

SERVE = "import time; print('ready now', flush=True); time.sleep(60)"


def python(code):
    return [sys.executable, "-c", code]


def test_a_child_is_up_when_it_says_so_and_ends_when_told():
    lines = []
    child = Child("server", python(SERVE), "ready", on_line=lines.append)
    child.start()
    assert lines == ["ready now"]
    assert child.returncode is None
    child.close()
    assert not still_alive({child.process_id})


def test_a_child_that_does_not_come_up_is_told_with_its_last_words():
    child = Child("server", python("raise SystemExit('port 1 is taken')"), "ready")
    with pytest.raises(ChildError, match="server did not start: port 1 is taken"):
        child.start()


def test_a_child_that_says_nothing_is_ended():
    child = Child("server", python("import time; time.sleep(60)"), "ready")
    with pytest.raises(ChildError, match="said nothing"):
        child.start(timeout=0.5)
    assert not still_alive({child.process_id})


def test_a_child_that_dies_is_started_again():
    child = Child("server", python(SERVE), "ready")
    child.start()
    first = child.process_id
    child._process.kill()
    end = time.monotonic() + 30
    while child.process_id == first and time.monotonic() < end:
        child.tend()
        time.sleep(0.05)
    assert child.process_id != first
    child.close()


def test_children_end_when_their_parent_is_killed():
    parent = (
        "import sys, time\n"
        "from repstream_cli.children import Child\n"
        f"child = Child('server', [sys.executable, '-c', {SERVE!r}], 'ready')\n"
        "child.start()\n"
        "print('up', flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen(python(parent), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "up\n"
        children = below(process.pid)
        assert children
        process.kill()
    assert not still_alive(children)
