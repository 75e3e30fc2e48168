"""The beam's centre and width: ``python basic_pipeline.py [PIPELINE_SERVER]``.

The instance is for us alone: nobody else knows its id, and its configuration can be changed.
"""

import sys

from bsread import SUB, Source
from cam_server_client import PipelineClient
from cam_server_client.utils import get_host_port_from_stream_address

pipelines = PipelineClient([*sys.argv, "http://127.0.0.1:8889"][1])
instance_id, address = pipelines.create_instance_from_config({"camera_name": "simulation"})
host, port = get_host_port_from_stream_address(address)

with Source(host=host, port=port, mode=SUB) as stream:
    values = stream.receive().data.data
    for axis in "xy":
        centre, width = (values[f"{axis}_fit_{name}"].value for name in ("mean", "standard_deviation"))
        print(f"{axis}: centre {centre:.1f}, width {width:.1f} pixels")

pipelines.stop_instance(instance_id)
