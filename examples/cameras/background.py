"""Take a background and have it subtracted: ``python background.py [PIPELINE_SERVER]``."""

import sys

from cam_server_client import PipelineClient

pipelines = PipelineClient([*sys.argv, "http://127.0.0.1:8889"][1])
instance_id, _ = pipelines.create_instance_from_config({"camera_name": "simulation"})
before = pipelines.get_instance_message(instance_id).data.data["intensity"].value

background = pipelines.collect_background("simulation", n_images=5)
pipelines.set_instance_config(instance_id, {"image_background": background, "image_background_enable": True})
after = pipelines.get_instance_message(instance_id).data.data["intensity"].value
print(f"{background}: intensity {before} before, {after} after")

pipelines.stop_instance(instance_id)
