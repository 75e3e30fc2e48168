"""What links in a file lead to is read only below the allowed folders."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from tests.engine.files.samples import plan
from tests.engine.files.test_frame_file import write

from repstream.errors import StorageError
from repstream.files import contents
from repstream.files.confinement import MOST_STEPS, check_confined
from repstream.files.reader import IMAGES, ROWS, FileReader

DATA, META = "/det/data", "/det/metadata"


def external(file: h5py.File, other: str) -> None:
    file[IMAGES], file[ROWS] = h5py.ExternalLink(other, DATA), h5py.ExternalLink(other, META)


def group(file: h5py.File, other: str) -> None:
    """The folder of the images lies outside, the last name in it is ordinary."""
    file["/there"] = h5py.ExternalLink(other, "/det")
    file[IMAGES], file[ROWS] = h5py.SoftLink("/there/data"), h5py.SoftLink("/there/metadata")


def virtual(file: h5py.File, other: str) -> None:
    with h5py.File(Path(file.filename).parent / other, "r") as source:
        for here, there in ((IMAGES, source[DATA]), (ROWS, source[META])):
            layout = h5py.VirtualLayout(there.shape, there.dtype)
            layout[:] = h5py.VirtualSource(other, there.name, there.shape)
            file.create_virtual_dataset(here, layout)


def by_the_way(file: h5py.File, other: str) -> None:
    """Two virtual datasets of the same file, the second of another one."""
    virtual(file, other)
    layouts = {}
    for path in (IMAGES, ROWS):
        file.move(path, f"/first{path}")
        found = file[f"/first{path}"]
        layouts[path] = h5py.VirtualLayout(found.shape, found.dtype)
        layouts[path][:] = h5py.VirtualSource(".", found.name, found.shape)
    for path, layout in layouts.items():
        file.create_virtual_dataset(path, layout)


Make = Callable[[h5py.File, str], None]
WAYS = pytest.mark.parametrize("way", [external, group, virtual, by_the_way])


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    for folder in (inside, outside):
        folder.mkdir()
        write(plan(folder / "there.h5"), 3).finish({})
    return inside, outside


def made(path: Path, way: Make, other: str) -> Path:
    with h5py.File(path, "w") as file:
        way(file, other)
    return path


def assert_refused(path: Path, root: Path) -> None:
    with pytest.raises(StorageError, match="not below an allowed folder"), FileReader(path, roots=[root]):
        pass
    with pytest.raises(StorageError, match="not below an allowed folder"):
        contents.rows(path, 0, 3, [root])


def assert_read(path: Path, root: Path) -> None:
    with FileReader(path, roots=[root]) as reader:
        assert reader.count == 3
        assert np.array_equal(reader.image(2), FileReader(path.parent / "there.h5").image(2))
    assert contents.rows(path, 0, 3, [root])[0] == 3


@WAYS
def test_what_lies_outside_is_not_read(folders: tuple[Path, Path], way: Make) -> None:
    inside, outside = folders
    for number, other in enumerate(("../outside/there.h5", str(outside / "there.h5"))):
        path = made(inside / f"{number}.h5", way, other)
        with FileReader(path) as reader:
            assert reader.count == 3, "it could be read"
        assert_refused(path, inside)


@WAYS
def test_what_lies_beside_it_is_read(folders: tuple[Path, Path], way: Make) -> None:
    inside, _ = folders
    assert_read(made(inside / "a.h5", way, "there.h5"), inside)


@WAYS
def test_a_file_between_does_not_help(folders: tuple[Path, Path], way: Make) -> None:
    inside, _ = folders
    made(inside / "between.h5", way, "../outside/there.h5")
    path = made(inside / "a.h5", external_to, "between.h5")
    assert_refused(path, inside)


def test_what_a_file_between_leads_to_is_looked_at_anew(folders: tuple[Path, Path]) -> None:
    inside, outside = folders
    made(inside / "last.h5", virtual, "there.h5")
    made(inside / "between.h5", external_to, "last.h5")
    path = made(inside / "a.h5", external_to, "between.h5")
    assert_read(path, inside)
    made(inside / "last.h5", virtual, str(outside / "there.h5"))
    assert_refused(path, inside)


def external_to(file: h5py.File, other: str) -> None:
    file[IMAGES], file[ROWS] = h5py.ExternalLink(other, IMAGES), h5py.ExternalLink(other, ROWS)


def test_a_name_that_is_a_link_to_the_outside_does_not_help(folders: tuple[Path, Path]) -> None:
    inside, outside = folders
    (inside / "link.h5").symlink_to(outside / "there.h5")
    assert_refused(made(inside / "a.h5", external, "link.h5"), inside)


def test_what_this_process_would_find_in_its_own_folder_is_not_read(
    folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    inside, outside = folders
    (outside / "only.h5").write_bytes((outside / "there.h5").read_bytes())
    monkeypatch.chdir(outside)
    assert_refused(made(inside / "a.h5", external, "only.h5"), inside)


def test_bytes_of_another_file_are_not_read_as_pixels(folders: tuple[Path, Path]) -> None:
    inside, outside = folders
    path = inside / "a.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset(IMAGES, (1, 2, 2), "u1", external=[(str(outside / "there.h5"), 0, 4)])
    with pytest.raises(StorageError, match="not below"), FileReader(path, roots=[inside]):
        pass


def test_links_in_a_circle_end(folders: tuple[Path, Path]) -> None:
    path = folders[0] / "a.h5"
    with h5py.File(path, "w") as file:
        file["/a"], file["/b"] = h5py.SoftLink("/b"), h5py.SoftLink("/a")
    with (
        h5py.File(path) as file,
        pytest.raises(StorageError, match=f"more than {MOST_STEPS} links"),
    ):
        check_confined(file, "/a", [folders[0]])
