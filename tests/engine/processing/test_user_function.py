"""Functions of users, in processes of their own: whatever they do, it is said, and the next call goes on."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.engine.processing import scripts
from tests.engine.processing.recorded import arrays
from tests.waiting import until

from repstream.errors import FunctionError
from repstream.processing.axes import counted
from repstream.processing.camera import View
from repstream.processing.function_wire import Kind
from repstream.processing.pipeline import Pipeline, Pulse, default
from repstream.processing.user_function import Limits, UserFunction

LIMITS = Limits(seconds=20.0, memory=1 << 30)
SHORT = Limits(seconds=0.5)
SMALL = Limits(seconds=60.0, memory=128 << 20)
PULSE = Pulse(5, (1000, 500), {"speed": 2.5, "trace": np.arange(4.0)})
Make = Callable[..., UserFunction]


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Make]:
    opened: list[UserFunction] = []

    def made(text: str, kind: Kind = "image", limits: Limits = LIMITS) -> UserFunction:
        path = tmp_path_factory.mktemp("scripts") / "script.py"
        path.write_text(text)
        opened.append(UserFunction(path, kind, limits))
        return opened[-1]

    yield made
    for function in opened:
        function.close()


@pytest.fixture(scope="module")
def trouble(make: Make) -> UserFunction:
    return make(scripts.TROUBLE)


def view() -> View:
    image = arrays("images")["gauss_u16"]
    return View(image, counted(image.shape[1]), counted(image.shape[0]))


def line_of(text: str) -> int:
    """The line of TROUBLE in which this is."""
    return next(n for n, line in enumerate(scripts.TROUBLE.splitlines(), 1) if text in line)


def test_a_script_that_calls_the_default_function_adds_to_it(make: Make) -> None:
    function = make(scripts.WRAPPED)
    configuration = {"image_good_region": {"threshold": 0.3, "gfscale": 1.8}, "name": "one"}
    pipeline = Pipeline(configuration, function=function)
    ours = pipeline.process(view(), PULSE)
    wanted = default(view(), PULSE, configuration)
    assert ours is not None
    assert ours.pop("average_value") == wanted["intensity"] / view().image.size  # type: ignore[operator]
    assert list(ours) == list(wanted)
    for name, value in wanted.items():
        assert np.asarray(ours[name]).dtype == np.asarray(value).dtype, name
        if isinstance(value, str):
            assert ours[name] == value
        else:  # one process may fit with numba already and the other not
            np.testing.assert_allclose(ours[name], value, rtol=1e-6, err_msg=name)  # type: ignore[arg-type]


def test_the_functions_of_scripts(make: Make) -> None:
    given = view()
    found = make(scripts.STEPS)(given, PULSE, {"image_threshold": 150})
    assert found is not None
    cut = np.where(given.image < 150, 0, given.image)[5:65, 10:90]
    np.testing.assert_array_equal(found["image"], cut)  # type: ignore[arg-type]
    assert found["mean"] == pytest.approx(70.3, abs=0.1)
    assert found["width"] == pytest.approx(2.355 * float(found["sigma"]), rel=0.1)  # type: ignore[arg-type]
    assert np.asarray(found["indices"]).tolist() == sorted(np.asarray(found["indices"]).tolist())
    np.testing.assert_array_equal(found["extremes"], [cut.min(), cut.max()])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("does", "said", "line"),
    [
        ("fails", "in fails: ZeroDivisionError: division by zero", "1 / 0"),
        ("exits", "in exits: SystemExit: enough", "sys.exit"),
        ("eats_memory", "MemoryError: Unable to allocate 8.00 GiB", "1 << 30"),
        (
            "returns_more_than_there_is",
            "MemoryError: arrays of 8192 MiB are too large; a function may take 1024 MiB",
            "",
        ),
        ("returns_a_list", "process_image returned a list", ""),
        ("returns_an_object", "channel 'bad' is of the type object", ""),
        ("returns_complex_numbers", "channel 'bad' has elements of the type complex128", ""),
        ("returns_too_great_a_number", "channel 'bad' is 1180591620717411303424, which does not fit", ""),
        ("returns_a_number_as_name", "3 is no name of a channel", ""),
        ("crashes", "ended its process (killed by SIGSEGV)", "SIGSEGV"),
    ],
)
def test_what_goes_wrong_is_said_and_the_next_image_is_processed(
    trouble: UserFunction, does: str, said: str, line: str
) -> None:
    with pytest.raises(FunctionError) as raised:
        trouble(view(), PULSE, {"do": does})
    assert said in str(raised.value)
    assert raised.value.script == "script.py"
    if line:
        assert raised.value.line == line_of(line)
        assert f"script.py, line {line_of(line)}" in str(raised.value)
    assert trouble(view(), PULSE, {"do": "returns_nothing"}) is None


def test_a_function_that_hangs_is_ended_at_its_time_limit(make: Make) -> None:
    function = make(scripts.TROUBLE, limits=SHORT)
    with pytest.raises(FunctionError, match=r"in hangs: took longer than 0\.5 s") as raised:
        function(view(), PULSE, {"do": "hangs"})
    assert raised.value.line == line_of("time.sleep")
    assert function(view(), PULSE, {"do": "returns_nothing"}) is None


@pytest.mark.parametrize("does", ["keeps_arrays", "keeps_numbers"])
def test_a_function_that_keeps_more_and_more_says_its_limit_and_begins_anew(make: Make, does: str) -> None:
    function = make(scripts.TROUBLE, limits=SMALL)
    with pytest.raises(FunctionError, match=r"MemoryError: .+; a function may take 128 MiB") as raised:
        function(view(), PULSE, {"do": does})
    if does == "keeps_arrays":  # without memory for small things Python itself does not know the line
        assert raised.value.line == line_of("kept.append(np")
    assert function(view(), PULSE, {"do": "counts_kept"}) == {"kept": 0}


def test_an_image_that_is_changed_in_place_is_the_function_s_own(trouble: UserFunction) -> None:
    given = view()
    before = given.image.copy()
    found = trouble(given, PULSE, {"do": "changes_its_image"})
    assert found is not None
    assert np.all(found["image"] == np.uint16(7))  # type: ignore[arg-type]
    np.testing.assert_array_equal(given.image, before)


def test_all_kinds_of_values_come_back_as_they_were(trouble: UserFunction) -> None:
    found = trouble(view(), PULSE, {"do": "returns_all_kinds"})
    assert found is not None
    np.testing.assert_array_equal(found.pop("array"), view().image[::2, ::-1])  # type: ignore[arg-type]
    np.testing.assert_array_equal(found.pop("list"), [1, 2, 3])  # type: ignore[arg-type]
    np.testing.assert_array_equal(found.pop("its_array"), np.arange(4.0) * 2)  # type: ignore[arg-type]
    assert np.asarray(found.pop("empty")).shape == (0, 3)
    assert np.isnan(found.pop("nan"))  # type: ignore[arg-type]
    assert isinstance(found["scalar"], np.float32)
    assert found == {
        "float": 1.5,
        "integer": -3,
        "flag": True,
        "text": "x",
        "none": None,
        "scalar": 0.5,
        "zero": 4,
        "from_bsdata": 2.5,
    }


def test_results_keep_their_values_when_the_next_ones_come(trouble: UserFunction) -> None:
    great = trouble(view(), PULSE, {"do": "makes_a_great_array"})
    trouble(view(), PULSE, {"do": "changes_its_image"})
    assert great is not None
    np.testing.assert_array_equal(great["great"], np.arange(3_000_000))  # type: ignore[arg-type]


def test_images_grow_and_shrink(trouble: UserFunction) -> None:
    for side in (10, 2000, 3):
        image = np.full((side, side), 1, np.uint16)
        found = trouble(View(image, counted(side), counted(side)), PULSE, {"do": "changes_its_image"})
        assert found is not None
        assert np.asarray(found["image"]).shape == image.shape


@pytest.mark.parametrize(
    ("text", "said", "line"),
    [
        ("import no_such_module\n", "ModuleNotFoundError: No module named 'no_such_module'", 1),
        ("x = 1\ndef process_image(:\n", "SyntaxError", 2),
        ("y = 1\n", "there is no function process_image", 0),
    ],
)
def test_a_script_that_cannot_be_loaded_says_why(make: Make, text: str, said: str, line: int) -> None:
    with pytest.raises(FunctionError) as raised:
        make(text).start()
    assert said in str(raised.value)
    assert raised.value.line == line


def test_a_script_is_read_anew_when_that_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    text = (
        "def process_image(image, pulse_id, timestamp, x_axis, y_axis, parameters):\n    return {'n': %d}\n"
    )
    path.write_text(text % 1)
    function = UserFunction(path)
    try:
        assert function(view(), PULSE, {}) == {"n": 1}
        path.write_text(text % 2)
        assert function(view(), PULSE, {}) == {"n": 1}
        function.reload()
        assert function(view(), PULSE, {}) == {"n": 2}
    finally:
        function.close()


def test_functions_of_streams_and_functions_that_make_their_data(make: Make) -> None:
    stream, custom = make(scripts.STREAM, "stream"), make(scripts.CUSTOM, "custom")
    pulse = Pulse(1, (9, 0), {"a": np.array([1, 2]), "b": 3})
    found = stream.stream(pulse, {"factor": 2})
    assert found is not None
    np.testing.assert_array_equal(found["sum"], [7, 8])  # type: ignore[arg-type]
    assert (found["b"], found["when"]) == (3, 9)
    for init, count in ((True, 100), (False, 101)):
        assert custom.make({}, init) == ({"count": count}, count, (1, 500_000_000))


def test_nothing_is_left_when_it_is_closed(make: Make) -> None:
    descriptors = open_descriptors()
    function = make(scripts.TROUBLE)
    function.start()
    function.close()
    function.close()
    assert open_descriptors() == descriptors


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_a_function_that_hangs_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    path = tmp_path / "script.py"
    path.write_text(scripts.TROUBLE)
    program = f"""
import os, pathlib, signal, threading
import numpy as np
from repstream.processing.camera import View
from repstream.processing.pipeline import Pulse
from repstream.processing.user_function import UserFunction
function = UserFunction(pathlib.Path({str(path)!r}))
function.start()
print(function.process_id, flush=True)
threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGKILL)).start()
function(View(np.zeros((2, 2)), np.zeros(2), np.zeros(2)), Pulse(0, (0, 0)), {{"do": "hangs"}})
"""
    found = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, check=False)
    until(lambda: not Path(f"/proc/{int(found.stdout)}").exists())


def test_the_original_s_name_is_not_there_outside() -> None:
    with pytest.raises(ModuleNotFoundError):
        __import__("cam_server")


def test_an_error_can_be_handed_on() -> None:
    error = FunctionError("a.py", 3, "f", "why", "all")
    same = pickle.loads(pickle.dumps(error))
    assert (str(same), same.line, same.traceback) == ("a.py, line 3 in f: why", 3, "all")
