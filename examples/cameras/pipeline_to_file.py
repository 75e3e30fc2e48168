"""Have a pipeline write a file itself: ``python pipeline_to_file.py FILE [PIPELINE_SERVER]``.

FILE is a path on the server's host, below its --root. The instance ends after 10 messages and closes it.
"""

import sys

import h5py
from cam_server_client import PipelineClient

file_name, server = sys.argv[1], [*sys.argv, "http://127.0.0.1:8889"][2]
pipelines = PipelineClient(server)
config = {"camera_name": "simulation", "mode": "FILE", "file": file_name, "records": 10, "exclude": ["image"]}
instance_id, _ = pipelines.create_instance_from_config(config)
pipelines.wait_instance_completed(instance_id, timeout=60)

with h5py.File(file_name) as file:
    centres, ids = file["data1/x_fit_mean/value"][:], file["header1/pulse_id"][:]
    print(f"{len(centres)} messages, pulses {ids[0]} to {ids[-1]}, mean centre {centres.mean():.1f}")
