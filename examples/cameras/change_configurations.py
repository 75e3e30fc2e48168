"""Change a camera and a pipeline while they run.

``python change_configurations.py [CAMERA_SERVER PIPELINE_SERVER]``
"""

import sys

from cam_server_client import CamClient, PipelineClient

servers = sys.argv[1:] or ["http://127.0.0.1:8888", "http://127.0.0.1:8889"]
cameras, pipelines = CamClient(servers[0]), PipelineClient(servers[1])

camera = {"source": "simulation", "source_type": "simulation"}
cameras.set_camera_config("turned", camera)
instance_id, _ = pipelines.create_instance_from_config({"camera_name": "turned"})
print("as it is:", pipelines.get_instance_message(instance_id).data.data["image"].value.shape)

# A camera takes a configuration at once, and so do all who look at it.
config = cameras.get_camera_config("turned")
config["rotate"] = 1
cameras.set_camera_config("turned", config)
turned = (1280, 960)
while (shape := pipelines.get_instance_message(instance_id).data.data["image"].value.shape) != turned:
    pass
print("turned:", shape)

# Of a pipeline only what is to change is given; what is saved under a name stays as it is.
config = pipelines.set_instance_config(instance_id, {"image_region_of_interest": [0, 200, 0, 100]})
print("a region of it:", pipelines.get_instance_message(instance_id).data.data["image"].value.shape)

pipelines.stop_instance(instance_id)
cameras.delete_camera_config("turned")
