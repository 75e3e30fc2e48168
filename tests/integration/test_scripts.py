"""Functions of users in pipelines: what they return is sent, what they do wrong is said."""

import time

import h5py
import pytest
import zmq

from repstream.errors import InstanceEnded, InvalidValue
from repstream.instances.local import LocalLauncher
from repstream.instances.registry import Instances
from repstream.pipelines.control import Folders
from tests.integration.test_instances import Client
from tests.waiting import until

SIMULATION = {"source": "s", "source_type": "simulation", "size_x": 40, "size_y": 30, "frame_rate": 50}

SCRIPTS = {
    "peak": """
def process_image(image, pulse_id, timestamp, x_axis, y_axis, parameters, bsdata):
    if parameters.get("fails"):
        raise ValueError("as it was asked to")
    return {"peak": int(image.max()), "pulse": pulse_id, "factor": parameters.get("factor", 1)}
""",
    "greedy": """
import numpy as np
def process_image(image, pulse_id, timestamp, x_axis, y_axis, parameters, bsdata):
    return {"size": np.ones(1 << 25).nbytes}
""",
    "names": """
def process(data, pulse_id, timestamp, parameters):
    return {"names": ",".join(data), "twice": 2 * int(data["width"])}
""",
    "counter": """
import time
count = 0
def process(parameters, init):
    global count
    count = 0 if init else count + 1
    time.sleep(0.01)
    return {"count": count}, (5, 6), 100 + count, None
""",
    "unnumbered": """
def process_image(parameters, init):
    if parameters.get("fails"):
        raise ValueError("as it was asked to")
    return {"init": init}, None, None, 0
""",
    "slow": """
import time
def process_image(image, pulse_id, timestamp, x_axis, y_axis, parameters, bsdata):
    time.sleep(parameters["sleeps"])
    return {"done": True}
""",
    "hungry": """
import numpy as np
class hungry:
    def connect(self): pass
    def disconnect(self): pass
    def read(self):
        return np.ones((1 << 10, 1 << 15), np.float32)
""",
    "broken": "this is no Python",
    "camera": """
import numpy as np
class camera:
    def __init__(self, configuration):
        self.height = configuration["height"]
    def connect(self): self.number = 0
    def disconnect(self): pass
    def get_raw_geometry(self): return 4, self.height
    def read(self):
        self.number += 1
        return np.full((self.height, 4), self.number, np.uint16), 7.5, 1000 + self.number
""",
    "moody": """
import time
class moody:
    def connect(self): self.number = 0
    def disconnect(self):
        with open(__file__ + ".left", "a") as file:
            file.write("left")
    def read(self):
        self.number += 1
        if self.number == 3:
            raise RuntimeError("out of film")
        if self.number == 2:
            time.sleep(60)
        return [[self.number]]
""",
}


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scripts")
    for name, text in SCRIPTS.items():
        (folder / f"{name}.py").write_text(text)
    launcher = LocalLauncher("127.0.0.1")
    folders = Folders(scripts=folder, data=folder)
    cameras = Instances("camera", launcher, folders=folders)

    def find(kind, name):
        return cameras.ensure(name, SIMULATION).stream_address

    pipelines = Instances("pipeline", launcher, find_stream=find, folders=folders)
    yield cameras, pipelines, folder
    pipelines.close()
    cameras.close()
    launcher.close()


def test_what_a_script_returns_is_sent_and_what_it_raises_is_said(servers):
    _, pipelines, folder = servers
    configuration = {"camera_name": "sim", "function": "peak", "abort_on_error": False}
    with Client(pipelines.start("p", configuration).stream_address) as client:
        found = client.read()
        assert list(found) == ["peak", "pulse", "factor"]
        pipelines.reconfigure("p", {"factor": 7})
        client.until(lambda m: m["factor"] == 7)
        pipelines.reconfigure("p", {"fails": True})
        until(lambda: "peak.py, line 4" in pipelines.get("p").message, "the reason")
        assert "as it was asked to" in pipelines.get("p").message
        until(lambda: pipelines.get("p").statistics.lost["processing"], "the loss")
        text = SCRIPTS["peak"].replace('"peak": int', '"top": int')
        (folder / "peak.py").write_text(text)
        pipelines.reconfigure("p", {"fails": False, "reload": True})
        client.until(lambda m: "top" in m)
        with pytest.raises(InvalidValue) as refused:
            pipelines.reconfigure("p", {"function": "broken"})
        assert refused.value.subject == "function"
        pipelines.reconfigure("p", {"function": None})
        client.until(lambda m: "x_fit_mean" in m)


def test_a_script_that_fails_ends_the_pipeline_where_it_is_to(servers):
    _, pipelines, _ = servers
    with pytest.raises(InstanceEnded, match=r"broken\.py, line 1"):
        pipelines.start("b", {"camera_name": "sim", "function": "broken"})
    for name in ("../peak", "absent", "/etc/passwd"):
        with pytest.raises(InvalidValue):
            pipelines.start("b", {"camera_name": "sim", "function": name})
    pipelines.start("f", {"camera_name": "sim", "function": "peak", "fails": True})
    until(lambda: not any(info.name == "f" for info in pipelines.running()), "the end")
    assert pipelines.exit_code("f") == 1
    assert "as it was asked to" in pipelines.message("f")


def test_a_script_that_needs_more_memory_says_so_and_can_be_given_it(servers):
    _, pipelines, _ = servers
    little = {"camera_name": "sim", "function": "greedy", "function_memory": 128, "abort_on_error": False}
    with Client(pipelines.start("g", little).stream_address) as client:
        until(lambda: "greedy.py, line 4" in pipelines.get("g").message, "the reason")
        assert "MemoryError" in (said := pipelines.get("g").message)
        assert "a function may take 128 MiB" in said
        until(lambda: any("128 MiB" in record.text for record in pipelines.logs("g")), "the reason as a line")
        pipelines.reconfigure("g", {"function_memory": 512})
        client.until(lambda m: m["size"] == 256 << 20)
    pipelines.stop("g")


def test_a_script_gets_the_channels_of_any_stream(servers):
    cameras, pipelines, _ = servers
    stream = cameras.ensure("sim", SIMULATION).stream_address
    address = pipelines.start(
        "s", {"pipeline_type": "stream", "function": "names", "input_stream": stream}
    ).stream_address
    with Client(address) as client:
        assert client.read() == {"names": "image,timestamp,width,height,x_axis,y_axis", "twice": 80}


def test_a_script_makes_data_by_itself(servers):
    _, pipelines, _ = servers
    configuration = {"pipeline_type": "custom", "function": "counter", "mode": "PUSH"}
    with Client(pipelines.start("c", configuration).stream_address, zmq.PULL) as client:
        first, second = client.receive(), client.receive()
    assert second["count"] == first["count"] + 1 == second.pulse_id - 100
    assert first.timestamp == (5, 6)


def test_data_without_ids_and_times_are_numbered_and_made_at_the_maximum_rate(servers):
    _, pipelines, _ = servers
    configuration = {
        "pipeline_type": "custom",
        "function": "unnumbered",
        "mode": "PUSH",
        "max_frame_rate": 50,
    }
    begin = time.monotonic()
    with Client(pipelines.start("u", configuration).stream_address, zmq.PULL) as client:
        messages = [client.receive() for _ in range(30)]
    at_most = 50 * (time.monotonic() - begin) + 1
    ids = [message.pulse_id for message in messages]
    assert ids[0] == 0 and ids == sorted(set(ids))
    assert ids[-1] <= at_most  # it is not called more often
    assert pipelines.get("u").statistics.skipped == {}
    assert [bool(message["init"]) for message in messages] == [True] + [False] * 29
    stamps = [message.timestamp for message in messages]
    assert stamps == sorted(stamps) and abs(stamps[0][0] - time.time()) < 100
    pipelines.stop("u")


def test_data_that_are_not_made_are_lost_and_made_again(servers):
    _, pipelines, _ = servers
    goes_on = {"pipeline_type": "custom", "function": "unnumbered", "abort_on_error": False, "fails": True}
    with Client(pipelines.start("u", goes_on).stream_address) as client:
        until(lambda: pipelines.get("u").statistics.lost.get("processing"), "the loss")
        assert "unnumbered.py, line 4" in pipelines.get("u").message
        pipelines.reconfigure("u", {"fails": False})
        client.receive()
        until(lambda: not pipelines.get("u").message, "nothing to be wrong any more")
        pipelines.reconfigure("u", {"fails": True, "abort_on_error": True})
        until(lambda: not any(info.name == "u" for info in pipelines.running()), "the end")
    assert pipelines.exit_code("u") == 1 and "as it was asked to" in pipelines.message("u")


def test_a_script_has_the_time_that_it_is_given(servers):
    _, pipelines, _ = servers
    hasty = {"camera_name": "sim", "function": "slow", "sleeps": 60, "function_timeout": 0.5}
    with Client(pipelines.start("t", hasty | {"abort_on_error": False}).stream_address) as client:
        until(lambda: "slow.py, line 4" in pipelines.get("t").message, "the reason")
        assert "took longer than 0.5 s" in pipelines.get("t").message
        pipelines.reconfigure("t", {"function_timeout": 30, "sleeps": 0.6})
        assert client.until(lambda m: m["done"])
    pipelines.stop("t")


def test_the_class_of_a_camera_has_the_memory_that_it_is_given(servers):
    cameras, _, _ = servers
    little = {"source": "", "source_type": "script", "class": "hungry", "class_memory": 64}
    with Client(cameras.start("h", little).stream_address) as client:
        until(lambda: any("may take 64 MiB" in record.text for record in cameras.logs("h")), "the limit")
        cameras.reconfigure("h", {"class_memory": 1024})
        assert client.receive()["image"].nbytes == 128 << 20
    cameras.stop("h")


def test_a_script_is_a_camera(servers):
    cameras, _, _ = servers
    configuration = {"source": "", "source_type": "script", "class": "camera", "height": 3, "frame_rate": 100}
    with Client(cameras.start("c", configuration).stream_address) as client:
        message = client.receive()
    assert message["image"].shape == (3, 4)
    assert message.pulse_id == 1000 + message["image"][0, 0]
    assert message.timestamp == (7, 500_000_000)


def test_a_camera_that_hangs_says_where_and_begins_anew(servers):
    cameras, _, _ = servers
    configuration = {"source": "", "source_type": "script", "class": "moody", "read_timeout": 0.5}
    with Client(cameras.start("m", configuration).stream_address) as client:
        until(
            lambda: any("moody.py, line 13 in read" in record.text for record in cameras.logs("m")),
            "the line at which it hangs",
        )
        assert client.receive()["image"] == [[1]]
    cameras.stop("m")
    assert cameras.exit_code("m") == 0
    for wrong, reason in (("broken", r"broken\.py, line 1"), ("counter", "there is no class counter")):
        with pytest.raises(InvalidValue, match=reason):
            cameras.start("w", configuration | {"class": wrong})


def test_a_camera_disconnects_at_the_end(servers):
    cameras, _, folder = servers
    text = SCRIPTS["moody"].replace("moody", "calm").replace("time.sleep(60)", "pass").replace("== 3", "< 0")
    (folder / "calm.py").write_text(text)
    configuration = {"source": "", "source_type": "script", "class": "calm"}
    with Client(cameras.start("calm", configuration).stream_address) as client:
        client.receive()
    cameras.stop("calm")
    until((folder / "calm.py.left").exists, "the farewell")


def test_a_pipeline_writes_a_file_and_never_over_another(servers):
    _, pipelines, folder = servers
    configuration = {"camera_name": "sim", "mode": "FILE", "file": "night/run.h5", "records": 5}
    pipelines.start("w", configuration)
    until(lambda: not any(info.name == "w" for info in pipelines.running()), "the end")
    assert pipelines.exit_code("w") == 0, pipelines.message("w")
    with h5py.File(folder / "night" / "run.h5") as file:
        ids = file["/header1/pulse_id"][:]
        assert len(ids) == 5 == len(file["/data1/x_fit_mean/value"])
        assert file["/data1/image/value"].shape == (5, 30, 40)
        assert list(ids) == sorted(ids)
    for path in ("night/run.h5", "../beyond.h5", "/etc/run.h5", ""):
        with pytest.raises(InvalidValue) as refused:
            pipelines.start("w", configuration | {"file": path})
        assert refused.value.subject == "file"
