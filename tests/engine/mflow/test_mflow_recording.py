"""Recorded messages: names, times, and what interruption leaves."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from repstream.errors import StorageError
from repstream.mflow.recording import TIMES, Recorder, messages_in, times_in


def contents(folder):
    return [[path.read_bytes() for path in paths] for _, paths in messages_in(folder)]


@settings(max_examples=30)
@given(st.lists(st.lists(st.binary(max_size=50), min_size=1, max_size=12), max_size=12))
def test_what_is_kept_is_read_back(tmp_path_factory, messages):
    folder = tmp_path_factory.mktemp("kept") / "new" / "one"
    recorder = Recorder(folder, timing=True)
    for number, parts in enumerate(messages):
        recorder.write(number, parts, number / 8)
    assert contents(folder) == messages
    assert times_in(folder) == {f"{n:06d}": n / 8 for n in range(len(messages))}


def test_files_have_the_names_of_the_original(tmp_path):
    Recorder(tmp_path).write(12, [b"a", b"b"], 0.0)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["000012_000.raw", "000012_001.raw"]


def test_a_folder_that_holds_messages_is_left_alone(tmp_path):
    Recorder(tmp_path).write(0, [b"first"], 0.0)
    with pytest.raises(StorageError, match="holds 1 recorded parts already"):
        Recorder(tmp_path)
    assert contents(tmp_path) == [[b"first"]]


def test_overwriting_deletes_messages_and_nothing_else(tmp_path):
    recorder = Recorder(tmp_path, timing=True)
    for number in range(3):
        recorder.write(number, [b"first"], 0.0)
    (tmp_path / "notes.raw").write_text("mine")
    Recorder(tmp_path, overwrite=True).write(0, [b"second"], 0.0)
    assert contents(tmp_path) == [[b"second"]]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["000000_000.raw", "notes.raw"]


def test_a_message_that_cannot_be_kept_leaves_no_part_behind(tmp_path):
    recorder = Recorder(tmp_path, timing=True)
    recorder.write(0, [b"good"], 0.0)
    (tmp_path / "000001_001.raw").mkdir()
    with pytest.raises(StorageError):
        recorder.write(1, [b"one", b"two"], 1.0)
    assert contents(tmp_path) == [[b"good"]]
    assert not list(tmp_path.glob("*.tmp"))
    assert times_in(tmp_path) == {"000000": 0.0}


def test_a_time_that_was_cut_off_is_none(tmp_path):
    Recorder(tmp_path, timing=True).write(0, [b"x"], 0.5)
    with (tmp_path / TIMES).open("a") as times:
        times.write("1,0.")
    assert times_in(tmp_path) == {"000000": 0.5}


@pytest.mark.parametrize("text", [None, "what,ever\n1,2\n", "message,seconds\nx,y\n", "message,seconds\n1\n"])
def test_times_that_are_none_are_refused(tmp_path, text):
    if text is not None:
        (tmp_path / TIMES).write_text(text)
    with pytest.raises(StorageError, match=TIMES):
        times_in(tmp_path)


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(StorageError, match="No such file"):
        messages_in(tmp_path / "nowhere")
