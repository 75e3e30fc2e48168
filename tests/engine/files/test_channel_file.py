"""Files of channels: their layout, and what readers see of them while they grow and after a kill."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from repstream.errors import StorageError
from repstream.files.channel_file import ChannelFile, ChannelWriter
from repstream.files.channel_layout import Layout

IMAGE = np.arange(12, dtype=np.uint16).reshape(3, 4)


def message(number: int) -> dict[str, Any]:
    return {
        "image": IMAGE + np.uint16(number),
        "intensity": np.int64(number * 10),
        "x_fit_mean": number / 3,
        "cam:label": f"shot {number}",
        "flag": number % 2 == 0,
    }


def write(writer: ChannelWriter, numbers: range) -> None:
    for number in numbers:
        writer.write(number + 100, (1000 + number, 5), message(number))


@pytest.mark.parametrize("layout", ["DEFAULT", "FLAT"])
def test_the_layout(tmp_path: Path, layout: Layout) -> None:
    path = tmp_path / "run.h5"
    writer = ChannelWriter(path, layout)
    write(writer, range(3))
    writer.finish()
    flat = layout == "FLAT"
    with h5py.File(path) as file:
        for name in message(0):
            values = file[name if flat else f"data1/{name}/value"]
            times = file[f"{name}_timestamp" if flat else f"data1/{name}/timestamp"]
            np.testing.assert_array_equal(times[:], [[1000, 5], [1001, 5], [1002, 5]])
            for number in range(3):
                wanted = message(number)[name]
                found = values[number].decode() if isinstance(wanted, str) else values[number]
                np.testing.assert_array_equal(found, wanted)
        assert file["header1/pulse_id"][:].tolist() == [100, 101, 102]
        assert file["header1/global_timestamp"][:].tolist() == [[1000, 5], [1001, 5], [1002, 5]]
        assert file["general/pid"][()] == os.getpid()
        assert set(file["general"]) == {"created", "user", "pid", "host", "datasets"}
        assert [name.decode() for name in file["general/datasets"]] == list(message(0))


def test_readers_see_each_pulse_at_once(tmp_path: Path) -> None:
    file = ChannelFile(tmp_path / "a.h5", message(0))
    for number in range(70):
        file.append(number, (number, 0), message(number))
        with h5py.File(file.path) as seen:
            assert len(seen["header1/pulse_id"]) == number + 1
            np.testing.assert_array_equal(seen["data1/image/value"][number], IMAGE + number)
    file.close()


def test_a_file_that_exists_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "mine.h5"
    path.write_text("precious")
    with pytest.raises(StorageError, match="exists and stays as it is"):
        ChannelWriter(path).write(1, (1, 1), message(1))
    assert path.read_text() == "precious"


@pytest.mark.parametrize(
    "changed",
    [
        {"image": IMAGE.T},
        {"image": IMAGE.astype("f4")},
        {"new": 1},
        {"cam:label": "x" * 5000},
        {"flag": "yes"},
    ],
)
def test_another_shape_is_refused_or_begins_another_file(tmp_path: Path, changed: dict[str, Any]) -> None:
    strict = ChannelWriter(tmp_path / "strict.h5")
    write(strict, range(1))
    with pytest.raises(StorageError, match=f"channel '{next(iter(changed))}' is new or has another"):
        strict.write(1, (1, 1), message(1) | changed)
    write(strict, range(1, 2))  # and the file goes on
    strict.finish()
    free = ChannelWriter(tmp_path / "free.h5", change=True)
    write(free, range(2))
    free.write(1, (1, 1), message(1) | changed)
    free.finish()
    with h5py.File(tmp_path / "free.h5") as first, h5py.File(tmp_path / "free_2.h5") as second:
        assert (len(first["header1/pulse_id"]), len(second["header1/pulse_id"])) == (2, 1)
        assert set(second["data1"]) == message(1).keys() | changed.keys()


def test_what_is_missing_leaves_a_row_without_time(tmp_path: Path) -> None:
    writer = ChannelWriter(tmp_path / "gaps.h5")
    writer.write(1, (7, 0), message(1) | {"coupling": None})
    writer.write(2, (8, 0), {"coupling": 0.5, "intensity": None})
    writer.finish()
    with h5py.File(tmp_path / "gaps.h5") as file:
        assert np.isnan(file["data1/coupling/value"][0])
        assert file["data1/coupling/value"][1] == 0.5
        assert file["data1/coupling/timestamp"][:].tolist() == [[0, 0], [8, 0]]
        for name in ("intensity", "image"):
            assert file[f"data1/{name}/timestamp"][:].tolist() == [[7, 0], [0, 0]]
            assert not file[f"data1/{name}/value"][1].any()


@settings(deadline=None, max_examples=20)
@given(
    st.dictionaries(st.sampled_from("abcdef"), st.sampled_from(["<f4", "<i8", ">u2", "?", "u1"]), min_size=1),
    st.sampled_from([(), (1,), (3,), (40, 30), (2, 3, 4)]),
    st.integers(1, 150),
)
def test_all_that_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, types: dict[str, str], shape: tuple[int, ...], pulses: int
) -> None:
    path = tmp_path_factory.mktemp("any") / "file.h5"
    writer = ChannelWriter(path)
    random = np.random.default_rng(pulses)
    rows = [{n: random.integers(0, 2, shape).astype(t) for n, t in types.items()} for _ in range(pulses)]
    for number, row in enumerate(rows):
        writer.write(number, (number, number), row)
    writer.finish()
    with h5py.File(path) as file:
        for name in types:
            np.testing.assert_array_equal(
                file[f"data1/{name}/value"][:], np.array([row[name] for row in rows])
            )


WRITES_UNTIL_KILLED = """
import sys, pathlib, numpy as np
from repstream.files.channel_file import ChannelWriter
writer = ChannelWriter(pathlib.Path(sys.argv[1]))
for number in range(10**9):
    image = np.full((50, 40), number, "u4")
    writer.write(number, (number, 1), {"image": image, "mean": float(number), "text": str(number)})
    print(number, flush=True)
"""


def test_a_killed_writer_leaves_all_that_it_reported(tmp_path: Path) -> None:
    for round_number, reported in enumerate((3, 70, 333)):
        path = tmp_path / f"{round_number}.h5"
        with subprocess.Popen(
            [sys.executable, "-c", WRITES_UNTIL_KILLED, str(path)], stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            last = 0
            for line in process.stdout:
                last = int(line)
                if last == reported:
                    process.send_signal(signal.SIGKILL)
        with h5py.File(path) as file:
            count = len(file["header1/pulse_id"])
            assert count >= last + 1
            wanted = np.arange(count)
            np.testing.assert_array_equal(file["header1/pulse_id"][:], wanted)
            np.testing.assert_array_equal(file["data1/image/value"][:count].max(axis=(1, 2)), wanted)
            np.testing.assert_array_equal(file["data1/mean/value"][:count], wanted)
            assert file["data1/text/value"][count - 1].decode() == str(count - 1)
