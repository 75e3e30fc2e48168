"""Enter a new camera: ``python new_camera.py [CAMERA_SERVER]``."""

import sys

from cam_server_client import CamClient

cameras = CamClient([*sys.argv, "http://127.0.0.1:8888"][1])
config = {
    "source": "simulation",  # the prefix of its PVs where source_type is epics
    "source_type": "simulation",
    "mirror_x": True,
    "camera_calibration": {"reference_marker": [100, 100, 1100, 900], "reference_marker_width": 5000.0},
    "alias": "screen 1",
}
saved = cameras.set_camera_config("new_camera", config)
print(saved["camera_calibration"])
print(cameras.get_cameras(), cameras.get_camera_aliases())
print("width and height:", cameras.get_camera_geometry("screen 1"))

cameras.delete_camera_config("new_camera")
