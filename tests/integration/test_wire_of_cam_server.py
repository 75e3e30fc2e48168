"""What pipelines send, part by part beside the recorded messages of cam_server."""

import json

import numpy as np
import pytest
import zmq

from repstream.instances.local import LocalLauncher
from repstream.instances.registry import Instances
from repstream.messages import bsread
from repstream.pipelines.control import Folders
from tests.engine.processing.recorded import arrays, document
from tests.waiting import until

WIRE = document("wire")
CONFIGURATIONS = {name: s.get("config") for name, s in WIRE["streams"].items() if name != "camera"}
CONFIGURATIONS["pipeline_store"] = {"pipeline_type": "store", "camera_name": "wirecam", "mode": "PUB"}
TOLERANCE = 1e-4  # of the recordings, for what comes of a fit


def recorded(stream, number):
    """The parts of a recorded message, and what they say."""
    parts = [
        part.tobytes()
        for key, part in sorted(arrays("wire").items())
        if key.startswith(f"{stream}/{number}/")
    ]
    return parts, bsread.decode(parts)


def named(message):
    return dict(zip((channel.name for channel in message.header.channels), message.values, strict=True))


def shapes(message):
    return [(c.name, c.type, c.shape, c.big_endian, c.compression) for c in message.header.channels]


def camera_message(stream, number):
    """The message of the camera that led to a recorded one: with the image that was processed."""
    camera, _ = recorded("camera", number)
    _, sent = recorded(stream, number)
    image = named(sent).get("image", named(sent).get("wirecam:FPICTURE"))
    if not image.any():  # what is sent after an error
        image = named(bsread.decode(camera))["image"]
    header = bsread.decode(camera).header
    values = {**named(bsread.decode(camera)), "image": image}
    seconds, nanoseconds = sent.timestamp
    values["timestamp"] = seconds + nanoseconds / 1e9
    ordered = [values[channel.name] for channel in header.channels]
    return bsread.encode(sent.pulse_id, header.channels, ordered, timestamp=sent.timestamp)


@pytest.fixture(scope="module")
def pipelines(tmp_path_factory):
    folder = tmp_path_factory.mktemp("backgrounds")
    np.save(folder / "wrong_size.npy", np.zeros((5, 5), np.uint16))
    launcher = LocalLauncher("127.0.0.1")
    pipelines = Instances("pipeline", launcher, folders=Folders(backgrounds=folder))
    yield pipelines
    pipelines.close()
    launcher.close()


def sent_by(pipelines, stream):
    """Our messages for the recorded ones."""
    context = zmq.Context()
    camera, client = context.socket(zmq.PUB), context.socket(zmq.SUB)
    port = camera.bind_to_random_port("tcp://127.0.0.1")
    configuration = CONFIGURATIONS[stream] | {"input_stream": f"tcp://127.0.0.1:{port}"}
    client.subscribe(b"")
    client.connect(pipelines.start(stream, configuration).stream_address)
    until(lambda: pipelines.get(stream).statistics.clients, "the client")
    try:
        for number in (0, 1):
            message, (_, expected) = camera_message(stream, number), recorded(stream, number)
            # A PUB socket says nothing of who has subscribed: each is sent until it arrives.
            while True:
                if not client.poll(100):
                    camera.send_multipart(message)
                elif json.loads((parts := client.recv_multipart())[0])["pulse_id"] == expected.pulse_id:
                    break
            yield parts
    finally:
        pipelines.stop(stream)
        context.destroy(0)


@pytest.mark.parametrize("stream", CONFIGURATIONS)
def test_messages_are_those_of_cam_server(pipelines, stream):
    for number, parts in enumerate(sent_by(pipelines, stream)):
        theirs, expected = recorded(stream, number)
        message = bsread.decode(parts)
        ours_main, their_main = json.loads(parts[0]), json.loads(theirs[0])
        assert len(parts) == len(theirs)
        assert {**ours_main, "hash": ""} == {**their_main, "hash": ""}
        assert sorted(shapes(message)) == sorted(map(of_numpy_2, shapes(expected)))
        assert set(message.timestamps) == {expected.timestamp}
        ours = named(message)
        for name, value in named(expected).items():
            compare(name, ours[name], value)


def of_numpy_2(shape):
    """A fitted function is of the type of the axis with numpy 1, and float64 since."""
    name, kind, *rest = shape
    return (name, "float64" if name.endswith("_gauss_function") else kind, *rest)


def compare(name, ours, theirs):
    if name == "processing_parameters":
        parameters = json.loads(ours)
        parameters.pop("input_stream")
        expected = json.loads(theirs)
        expected.pop("image_background_ok", None)  # kept by the original for itself
        reason = expected.pop("processing_error", "")
        assert parameters.pop("processing_error", "").startswith(reason)
        assert parameters == expected
    elif isinstance(theirs, np.ndarray) and theirs.dtype.kind in "iu":
        assert np.array_equal(ours, theirs), name
    elif theirs is None or isinstance(theirs, int | str):
        assert ours == theirs, name
    else:
        assert ours == pytest.approx(theirs, rel=TOLERANCE, abs=TOLERANCE * 20), name
