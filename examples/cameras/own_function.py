"""Have a function of our own compute the channels: ``python own_function.py [PIPELINE_SERVER]``.

The server takes scripts over REST only where it was started with --allow-scripts.
"""

import sys
import tempfile
from pathlib import Path

from cam_server_client import PipelineClient

FUNCTION = """
from cam_server.pipeline.data_processing import functions

def process_image(image, pulse_id, timestamp, x_axis, y_axis, parameters, bsdata):
    profile = image.sum(0)
    _, offset, amplitude, centre, width, *_ = functions.gauss_fit(profile, x_axis)
    return {"centre": centre, "bright_pixels": int((image > parameters["level"]).sum())}
"""

pipelines = PipelineClient([*sys.argv, "http://127.0.0.1:8889"][1])
instance_id, _ = pipelines.create_instance_from_config({"camera_name": "simulation", "level": 30000})

with tempfile.TemporaryDirectory() as folder:
    script = Path(folder) / "bright_pixels.py"
    script.write_text(FUNCTION)
    pipelines.set_function_script(instance_id, str(script))

while "centre" not in (values := pipelines.get_instance_message(instance_id).data.data):
    pass
print(f"centre {values['centre'].value:.1f}, {values['bright_pixels'].value} bright pixels")

pipelines.stop_instance(instance_id)
pipelines.delete_script("bright_pixels.py")
