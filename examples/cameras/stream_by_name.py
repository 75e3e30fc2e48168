"""Read the stream of a saved pipeline by its name: ``python stream_by_name.py [PIPELINE_SERVER]``.

All who ask for it share one instance, which begins with the first and ends after the last.
"""

import sys

from bsread import SUB, Source
from cam_server_client import PipelineClient
from cam_server_client.utils import get_host_port_from_stream_address

pipelines = PipelineClient([*sys.argv, "http://127.0.0.1:8889"][1])
pipelines.save_pipeline_config("simulation_sp", {"camera_name": "simulation", "image_threshold": 2000})

address = pipelines.get_instance_stream("simulation_sp")
assert pipelines.get_instance_stream("simulation_sp") == address
host, port = get_host_port_from_stream_address(address)
with Source(host=host, port=port, mode=SUB) as stream:
    print(f"{address}: intensity {stream.receive().data.data['intensity'].value}")
