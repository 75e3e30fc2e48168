"""A parameter's name stands where it is declared, and as an attribute of the object that holds it.

Looked at is every text in the code of the engine and the command line. A text counts where it is a key
(``engine.state``) or a name of several words; names of one word are words. Docstrings do not count.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from tests.conformance.test_no_names import named

ROOT = Path(__file__).parents[2]
ROOMS = ("engine/repstream", "cli/repstream_cli")

FORMATS = "names of a file format or wire format, which other programs read"
ALLOWED = {
    "cli/repstream_cli/std_cli": "names of the standard DAQ's interface",
    "cli/repstream_cli/std_daq": "names of the standard DAQ's interface, and configurations",
    "engine/repstream/cluster": "the settings that it gives to the writer of each host",
    "engine/repstream/client.py": "an example in a text for users",
    "engine/repstream/files": FORMATS,
    "engine/repstream/dataplane/pinning.py": "the setting that an error is about",
    "engine/repstream/dataplane/storing/parts_store.py": FORMATS,
    "engine/repstream/dataplane/writing/file_results.py": FORMATS,
    "engine/repstream/dataplane/writing/selection.py": "the reason that a frame is counted by",
    "engine/repstream/messages": FORMATS,
    "engine/repstream/mflow": "names of mflow's interface",
    "engine/repstream/ophyd": "the signals that a bluesky device has, by name",
    "engine/repstream/parameters": "declarations, their validators, and configurations of other programs",
    "engine/repstream/pipelines": "names of cam_server's configurations, which sites have as files",
    "engine/repstream/service/acquisitions.py": FORMATS,
    "engine/repstream/service/receivers/shared_acquisition.py": FORMATS,
    "engine/repstream/service/receivers/shares.py": "the settings that an error is about",
    "engine/repstream/sources": "the setting that an error is about",
}
"""Files and folders that name parameters, each with the reason."""


def found() -> Counter[str]:
    """How many names stand in each file that has any."""
    paths = (path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py")))
    counts = Counter({str(p.relative_to(ROOT)): len(_names(p)) for p in paths})
    return +counts


def _names(path: Path) -> list[str]:
    """Those in a file but the beginnings of keys (``streams.``), which name a group."""
    return [name for name in named(path.read_text()) if not name.endswith(".")]


def test_no_parameter_is_named_but_where_there_is_a_reason() -> None:
    without = {
        path: number
        for path, number in found().items()
        if not any(path == place or path.startswith(f"{place}/") for place in ALLOWED)
    }
    assert without == {}


def test_every_reason_is_still_needed() -> None:
    named_in = found()
    for place in ALLOWED:
        assert any(path == place or path.startswith(f"{place}/") for path in named_in), place


def test_service_and_link_hold_no_key_as_text() -> None:
    for room in ("service", "link", "dataplane"):
        for path in (ROOT / "engine/repstream" / room).rglob("*.py"):
            assert [name for name in _names(path) if name.startswith("engine.")] == []
