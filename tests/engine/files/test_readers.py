"""What tools of the field make of our files: the right pixels and the right number of them.

A table of readers against kinds of files. Where a reader cannot, the table says why; the packages come
with the extra ``readers``, `h5dump` and `h5repack` with Debian's hdf5-tools, the rest with `make readers`;
REPSTREAM_REQUIRE_ALL=1 wants them all to be there.
"""

from __future__ import annotations

import importlib
import io
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import h5py
import hdf5plugin
import numpy as np
import pytest
from tests.engine.dataplane.bench import plan as acquisition_plan
from tests.engine.files import other_readers
from tests.engine.files.samples import image, images, payload
from tests.engine.files.test_interleaved import begun as interleaved
from tests.engine.files.test_interleaved import parts_of

from repstream.dataplane.storing.frame_store import FrameStore
from repstream.dataplane.storing.placement import Placed
from repstream.files import FilePlan, FrameFile, Placeholder
from repstream.files.columns import ARRIVAL_TIME, EPICS_EPOCH
from repstream.files.plan import MISSING
from repstream.messages import dectris_v1
from repstream.messages.formats import FrameDecoder
from repstream.messages.frame import Frame
from repstream.messages.pixels import packed

Array = np.ndarray[Any, Any]

COUNT, BLANK = 7, 3
SCRIPTS = Path(__file__).with_name("js")
PYTHON = Path(__file__).parents[3] / ".venv-readers" / "bin" / "python"
TIMES = 1.7e9 + np.arange(COUNT) / 4
DONE: dict[str, Any] = {"outcome": "completed", "series": 1, "stop_time": 1.7e9}
FACTS: dict[str, Any] = {"start_time": 1.7e9}
MEMBERS = ((ARRIVAL_TIME, np.dtype("<f8")),)


def plan(path: Path, **changes: Any) -> FilePlan:
    return FilePlan(path, "det", (4, 6), np.dtype("<u2"), MEMBERS, attributes=FACTS, **changes)


def fill(file: Any, of: FilePlan, *, blank: int | None = None) -> None:
    table = np.zeros(COUNT, of.row_dtype)
    table["image_id"], table[ARRIVAL_TIME] = np.arange(COUNT), TIMES
    payloads = [payload(of, number) for number in range(COUNT)]
    if blank is not None:
        payloads[blank], table["status"][blank] = None, MISSING  # type: ignore[call-overload]
    file.append(payloads, table)


def single(path: Path, *, blank: int | None = None, finish: bool = True, **changes: Any) -> FrameFile:
    of = plan(path, **changes)
    file = FrameFile.create(of)
    fill(file, of, blank=blank)
    if finish:
        file.finish({**DONE, "written": COUNT})
    return file


def in_files(path: Path) -> None:
    of = plan(path)
    file = Placeholder.create(path, "det", FACTS).become(of.shape, of.dtype, of.members, "none", 3)
    fill(file, of)
    file.finish({**DONE, "written": COUNT})


def in_turn(path: Path) -> None:
    parts_of(path, 2, COUNT, "none")
    interleaved(path, 2, COUNT).finish({**DONE, "written": COUNT})


def from_detector(path: Path, encoding: Any) -> None:
    """What a detector compressed, through the decoder and the store of the data plane."""
    decode = FrameDecoder().decode
    pixels = [packed(image(number), encoding) for number in range(COUNT)]
    frames = [decode(dectris_v1.encode_image(1, number, one)) for number, one in enumerate(pixels)]
    store = FrameStore(acquisition_plan(path, attributes=FACTS))
    store.write([Placed(frame) for frame in frames if isinstance(frame, Frame)])
    store.sync()
    store.finish({**DONE, "written": COUNT})


KINDS: dict[str, Callable[[Path], Any]] = {
    "plain": single,
    "compressed": lambda path: single(path, compression="bitshuffle_lz4"),
    "growing": lambda path: single(path, finish=False),
    "killed": lambda path: single(path, finish=False).close(),
    "with a blank place": lambda path: single(path, blank=BLANK),
    "in files": in_files,
    "in turn": in_turn,
    "from the detector, bslz4": lambda path: from_detector(path, "bitshuffle_lz4"),
    "from the detector, lz4": lambda path: from_detector(path, "lz4"),
    "empty": lambda path: Placeholder.create(path, "det", FACTS).finish(DONE),
}


def expected(kind: str) -> Array:
    found = np.zeros((0, 0, 0), "<u2") if kind == "empty" else images(COUNT)
    if kind == "with a blank place":
        found[BLANK] = 0
    return found


def by_h5py(path: Path) -> Array:
    with h5py.File(path) as file:
        return np.asarray(file["/entry/data/data"])


def missing(what: str) -> NoReturn:
    if os.environ.get("REPSTREAM_REQUIRE_ALL") == "1":
        pytest.fail(what)
    pytest.skip(what)


def need_tool(name: str) -> str:
    return shutil.which(name) or missing(f"{name} is not installed (Debian: hdf5-tools)")


def need(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        missing(f"{name} cannot be imported ({error}); it comes with the extra readers")


def run(*command: object) -> str:
    environment = {**os.environ, "HDF5_PLUGIN_PATH": hdf5plugin.PLUGIN_PATH}
    done = subprocess.run(
        list(map(str, command)), env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout


def by_h5dump(path: Path) -> Array:
    text = run(need_tool("h5dump"), "-d", "/entry/data/data", "-y", "-w", "1", path)
    inside = text[text.index("DATA {") + len("DATA {") :].split("}")[0]
    shape = by_h5py(path).shape
    return np.array([int(n) for n in inside.replace(",", " ").split()], "<u2").reshape(shape)


def by_h5repack(path: Path) -> Array:
    packed = path.with_name(f"repacked-{path.name}")
    run(need_tool("h5repack"), path, packed)
    return by_h5py(packed)


def by_silx(path: Path) -> Array:
    import silx.io  # noqa: PLC0415
    from silx.io import nxdata  # noqa: PLC0415

    with silx.io.open(str(path)) as file:
        found = nxdata.get_default(file)
        assert found.is_valid
        return np.asarray(found.signal)


def by_nexusformat(path: Path) -> Array:
    from nexusformat.nexus import nxload  # noqa: PLC0415

    return np.asarray(nxload(str(path), "r").get_default().nxsignal.nxvalue)


def by_fabio(path: Path) -> Array:
    with need("fabio").open(f"{path}::/entry/data/data") as image:
        return np.array([image.getframe(number).data for number in range(image.nframes)])


def by_pyfive(path: Path) -> Array:
    with need("pyfive").File(str(path)) as file:
        return np.asarray(file["entry/data/data"][:])


def by_bluesky(path: Path) -> Array:
    handlers = need("area_detector_handlers.handlers")
    pixels = handlers.AreaDetectorHDF5Handler(str(path), frame_per_point=COUNT)
    return np.asarray(pixels(0))


def by_h5wasm(path: Path) -> Array:
    """The library of viewers in browsers, such as h5web."""
    node = shutil.which("node") or pytest.skip(
        "node is not installed, as for the tests of the page's modules"
    )
    if not (SCRIPTS / "node_modules" / "h5wasm").exists():
        missing("h5wasm is not installed: make readers")
    found = json.loads(run(node, SCRIPTS / "read.mjs", path))
    return np.array(found["pixels"], found["dtype"]).reshape(found["shape"])


def elsewhere(reader: str) -> Callable[[Path], Array]:
    """A reader in the environment of `other_readers`; it reads all kinds at once, when it is first asked."""
    found: dict[str, list[Array]] = {}

    def read(path: Path) -> Array:
        if not PYTHON.exists():
            missing(f"{PYTHON} does not exist: make readers")
        names = [name for name in KINDS if (reader, name) not in NOT_READ]
        paths = [path.parent / f"{list(KINDS).index(name)}.h5" for name in names]
        if str(path.parent) not in found:
            command = [PYTHON, Path(other_readers.__file__), reader, *paths]
            done = subprocess.run(list(map(str, command)), capture_output=True, check=False)
            assert done.returncode == 0, done.stderr.decode()
            arrays = io.BytesIO(done.stdout)
            found[str(path.parent)] = [np.load(arrays) for _ in paths]
        return found[str(path.parent)][paths.index(path)]

    return read


READERS: dict[str, Callable[[Path], Array]] = {
    "h5py": by_h5py,
    "h5dump": by_h5dump,
    "h5repack": by_h5repack,
    "silx": by_silx,
    "nexusformat": by_nexusformat,
    "fabio": by_fabio,
    "pyfive": by_pyfive,
    "area_detector_handlers": by_bluesky,
    "h5wasm": by_h5wasm,
    **{name: elsewhere(name) for name in other_readers.READERS},
}

THROUGH_PYTHON = "its own reader opens files as Python objects, where h5py finds no other file (h5py#1623)"

NOT_READ = {
    ("nexusformat", "in files"): "takes the number of files behind a virtual dataset for its length",
    ("fabio", "empty"): "wants an image",
    ("area_detector_handlers", "empty"): "wants an image",
    ("pyFAI", "in files"): THROUGH_PYTHON,
    ("pyFAI", "in turn"): THROUGH_PYTHON,
    ("tiled", "empty"): "gives an empty dataset a dimension more",
    ("pyfive", "compressed"): "does not have HDF5 filter 32008",
    ("pyfive", "from the detector, bslz4"): "does not have HDF5 filter 32008",
    ("pyfive", "in files"): "knows no virtual datasets",
    ("pyfive", "in turn"): "knows no virtual datasets",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("readers")
    for number, make in enumerate(KINDS.values()):
        make(folder / f"{number}.h5")
    return folder


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("reader", READERS)
def test_every_reader_finds_the_images(folder: Path, reader: str, kind: str) -> None:
    if why := NOT_READ.get((reader, kind)):
        pytest.skip(why)
    found = READERS[reader](folder / f"{list(KINDS).index(kind)}.h5")
    assert found.dtype == "<u2"
    np.testing.assert_array_equal(found, expected(kind))


def test_blueskys_handler_finds_the_times(folder: Path) -> None:
    handlers = need("area_detector_handlers.handlers")
    found = handlers.AreaDetectorHDF5TimestampHandler(str(folder / "0.h5"), frame_per_point=COUNT)(0)
    assert np.allclose(found, TIMES - EPICS_EPOCH, rtol=0, atol=1e-6) or np.allclose(
        found, TIMES, rtol=0, atol=1e-6
    )
