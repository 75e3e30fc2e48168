"""One message of a pipeline, without a stream of our own: ``python one_message.py [PIPELINE_SERVER]``."""

import json
import sys

from cam_server_client import PipelineClient

pipelines = PipelineClient([*sys.argv, "http://127.0.0.1:8889"][1])
instance_id, _ = pipelines.create_instance_from_config({"camera_name": "simulation", "image_threshold": 5000})

values = pipelines.get_instance_message(instance_id).data.data
parameters = json.loads(values["processing_parameters"].value)
print(f"threshold {parameters['image_threshold']}: maximum {values['max_value'].value}")
print(", ".join(values))

pipelines.stop_instance(instance_id)
