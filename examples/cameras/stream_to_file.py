"""Write 10 messages of a pipeline into an HDF5 file: ``python stream_to_file.py FILE [PIPELINE_SERVER]``."""

import sys

import h5py
from bsread import SUB
from bsread.cli import h5
from cam_server_client import PipelineClient

file_name, server = sys.argv[1], [*sys.argv, "http://127.0.0.1:8889"][2]
pipelines = PipelineClient(server)
instance_id, address = pipelines.create_instance_from_config({"camera_name": "simulation"})

h5.receive(address, file_name, mode=SUB, n_messages=10)
pipelines.stop_instance(instance_id)

with h5py.File(file_name) as file:
    file.visititems(lambda name, found: print(name, found.shape) if isinstance(found, h5py.Dataset) else None)
