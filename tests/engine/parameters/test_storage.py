"""Configurations as JSON: round trip, versions, gf_repstream's shapes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repstream.errors import Refused
from repstream.parameters import storage
from repstream.parameters.configuration import SCHEMA_VERSION, Configuration
from repstream.parameters.stream import StreamConfig
from repstream.parameters.writer import WriterConfig
from repstream.policies.decimation import Decimation
from repstream.policies.slow_consumer import SlowRule

RECORDED = sorted((Path(__file__).parents[2] / "data/configurations").glob("*.json"))

names = st.from_regex(r"[A-Za-z][A-Za-z0-9_-]{0,10}", fullmatch=True)
streams = st.builds(
    StreamConfig,
    policy=st.sampled_from(list(Decimation)),
    every_nth=st.integers(1, 10**9),
    burst_rate=st.floats(0.001, 1e5),
    on_slow=st.sampled_from(list(SlowRule)),
    address=st.sampled_from(["tcp://*:9610", "ipc:///tmp/x"]),
)
writers = st.builds(
    WriterConfig,
    folder=st.sampled_from(["", "/data", "/data/run 1"]),
    file_name=st.text(st.characters(categories=("L", "N")), max_size=20),
    file_number=st.integers(0, 999_999_999),
    num_images=st.integers(0, 2**31 - 1),
)
configurations = st.builds(
    Configuration,
    streams=st.dictionaries(names, streams, max_size=4),
    writers=st.dictionaries(names, writers, max_size=3),
)


@given(configurations)
def test_what_is_dumped_is_read_back(configuration: Configuration) -> None:
    assert storage.parse(storage.dump(configuration), "it", Configuration) == configuration


def test_a_newer_version_is_refused() -> None:
    text = json.dumps({"schema_version": SCHEMA_VERSION + 1})
    with pytest.raises(Refused, match=f"newer version .* reads up to {SCHEMA_VERSION}"):
        storage.parse(text, "settings.json", Configuration)


def test_an_older_version_is_migrated() -> None:
    old = {"schema_version": 0, "streams": [{"name": "live", "every_nth": 3}], "writers": [{"name": "main"}]}
    migrated = storage.parse(json.dumps(old), "old.json", Configuration)
    assert migrated.schema_version == SCHEMA_VERSION
    assert migrated.streams["live"].every_nth == 3
    assert list(migrated.writers) == ["main"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "is not JSON"),
        ("[1]", "must be a JSON object, not list"),
        ('{"sauce": {}}', "sauce"),
        ('{"streams": {"live": {"every_nth": 0}}}', "streams.live.every_nth: must be 1 or more, not 0"),
        ('{"streams": {"7": {}}}', "is no name"),
        ('{"schema_version": "one"}', "schema_version must be a number"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text: str, says: str) -> None:
    with pytest.raises(Refused, match=says):
        storage.parse(text, "it", Configuration)


def test_gf_repstream_file() -> None:
    given = {
        "in-stream": {"name": "in", "zmq_mode": "PULL", "address": "tcp://gigafrost:9990"},
        "out-streams": {
            "preview": {
                "zmq_mode": "PUB",
                "port": 9610,
                "send_output_mode": "send_every_sec",
                "send_output_param": 0.5,
            },
            "blocks": {
                "zmq_mode": 8,
                "port": 9611,
                "send_output_mode": "n_every_nth",
                "send_output_param": 2,
            },
            "std-det-writer": {"zmq_mode": "PUSH", "port": 9612, "send_output_mode": "forward"},
        },
    }
    read = storage.parse(json.dumps(given), "gf.json", Configuration)
    assert read.source.address == "tcp://gigafrost:9990"
    assert (read.streams["preview"].policy, read.streams["preview"].every_sec) == ("send_every_sec", 0.5)
    assert (read.streams["blocks"].mode, read.streams["blocks"].burst) == ("PUSH", 2)
    assert read.streams["blocks"].policy == "send_every_nth_frame"
    assert read.streams["std-det-writer"].header == "std_det_writer"
    assert read.streams["std-det-writer"].address == "tcp://*:9612"


def test_gf_repstream_older_file() -> None:
    given = {
        "in-stream": [{"name": "in", "zmq_mode": "SUB", "address": "tcp://127.0.0.1:9990"}],
        "out-streams": [{"name": "s1", "zmq_mode": "PUSH", "port": "9610", "send_every_nth": 5}],
    }
    read = storage.parse(json.dumps(given), "gf.json", Configuration)
    assert read.source.mode == "SUB"
    assert (read.streams["s1"].policy, read.streams["s1"].every_nth) == ("send_every_nth", 5)


def test_a_garbled_gf_repstream_file_is_refused() -> None:
    with pytest.raises(Refused, match="gf_repstream configuration, but this is missing or wrong"):
        storage.parse('{"in-stream": {"name": "in"}, "out-streams": {"s": {}}}', "gf.json", Configuration)


def test_saving_keeps_the_old_file_where_it_fails(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    storage.save(Configuration(), path)
    with pytest.raises(Refused, match="cannot be written"):
        storage.save(Configuration(), tmp_path / "gone" / "settings.json")
    assert storage.load(path, Configuration) == Configuration()
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"gone.json refused: cannot be read"):
        storage.load(tmp_path / "gone.json", Configuration)


@pytest.mark.parametrize(
    "name", ["/dev/zero", "pipe", ".", "no\0name", "huge.json", "binary.json", "deep.json"]
)
def test_what_is_no_configuration_file_is_refused_at_once(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "binary.json").write_bytes(bytes(range(256)))
    (tmp_path / "deep.json").write_bytes(b"[" * 100_000)
    with (tmp_path / "huge.json").open("wb") as file:
        file.truncate(storage.MOST_BYTES + 1)
    with pytest.raises(Refused):
        storage.load(tmp_path / name, Configuration)


def test_a_file_name_of_another_type_is_refused_with_its_place() -> None:
    text = json.dumps({"writers": {"main": {"output_file": {"name": "/data/a.h5"}}}})
    with pytest.raises(Refused, match=r"writers\.main\.output_file"):
        storage.parse(text, "file", Configuration)


@pytest.mark.parametrize("saved", RECORDED, ids=lambda path: path.stem)
def test_what_earlier_versions_saved_is_loaded(saved: Path) -> None:
    tree = json.loads(saved.read_text())
    loaded = storage.load(saved, Configuration)
    assert loaded.schema_version == SCHEMA_VERSION
    assert list(loaded.streams) == ["live"]
    assert list(loaded.writers) == ["main"]
    kept = storage.parse(storage.dump(loaded), "it", Configuration)
    assert kept == loaded
    if tree["schema_version"] == SCHEMA_VERSION:  # every setting that was saved is still there, as it was
        now = json.loads(storage.dump(loaded))
        for here, then in (
            (now["source"], tree["source"]),
            (now["streams"]["live"], tree["streams"]["live"]),
        ):
            assert {name: here[name] for name in then} == then


def test_there_are_recorded_files() -> None:
    assert len(RECORDED) >= 5


def test_a_file_system_that_has_become_read_only_is_a_refusal(tmp_path: Path) -> None:
    """Linux refuses there to remove even what does not exist; settings were never saved again then."""
    if subprocess.run(["unshare", "-rm", "true"], capture_output=True, check=False).returncode:
        pytest.skip("this system lets nobody have namespaces")
    save = (
        "from pathlib import Path; from repstream.parameters import storage; "
        "from repstream.parameters.configuration import Configuration; "
        f"storage.save(Configuration(), Path('{tmp_path}/a.json'))"
    )
    script = f'mount -t tmpfs -o ro none {tmp_path} && exec {sys.executable} -c "{save}"'
    ran = subprocess.run(
        ["unshare", "-rm", "sh", "-c", script], capture_output=True, text=True, timeout=50, check=False
    )
    assert "a.json refused: cannot be written: Read-only file system; name a file" in ran.stderr
