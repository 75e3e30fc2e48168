"""A detector's beam, from a live stream of repstream.

Run ``python detector_stream.py [STREAM [CAMERA_SERVER [PIPELINE_SERVER]]]``; the stream is a PUB of any
detector that the engine repeats, in the format array-1.0 (``repstream demo`` has one at port 9610).
"""

import sys

from bsread import SUB, Source
from cam_server_client import CamClient, PipelineClient
from cam_server_client.utils import get_host_port_from_stream_address

given = dict(enumerate(sys.argv))
stream = given.get(1, "tcp://127.0.0.1:9610")
cameras = CamClient(given.get(2, "http://127.0.0.1:8888"))
pipelines = PipelineClient(given.get(3, "http://127.0.0.1:8889"))

cameras.set_camera_config("detector", {"source": stream, "source_type": "array10", "mode": "SUB"})
instance_id, address = pipelines.create_instance_from_config(
    {"camera_name": "detector", "image_good_region": {"threshold": 0.5, "gfscale": 1.8}}
)
host, port = get_host_port_from_stream_address(address)
with Source(host=host, port=port, mode=SUB) as source:
    for _ in range(3):
        values = source.receive().data.data
        height, width = values["image"].value.shape
        region = values["good_region"].value.tolist()
        print(f"{width} × {height}, intensity {values['intensity'].value}, good region {region}")

pipelines.stop_instance(instance_id)
cameras.stop_instance("detector")
cameras.delete_camera_config("detector")
