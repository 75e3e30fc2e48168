"""Receive the simulated camera's images: ``python simulation_stream.py [CAMERA_SERVER]``."""

import sys

from bsread import SUB, Source
from cam_server_client import CamClient
from cam_server_client.utils import get_host_port_from_stream_address

cameras = CamClient([*sys.argv, "http://127.0.0.1:8888"][1])
host, port = get_host_port_from_stream_address(cameras.get_instance_stream("simulation"))

with Source(host=host, port=port, mode=SUB) as stream:
    for _ in range(3):
        message = stream.receive()
        image = message.data.data["image"].value
        print(f"pulse {message.data.pulse_id}: {image.shape} {image.dtype}, brightest {image.max()}")
