"""A document of the standard DAQ for the tests."""

CONFIG = {
    "detector_name": "EG9M",
    "detector_type": "eiger",
    "bit_depth": 16,
    "image_pixel_height": 8,
    "image_pixel_width": 8,
    "n_modules": 2,
    "start_udp_port": 50000,
    "writer_user_id": -1,
    "module_positions": {"0": [0, 7, 3, 0], "1": [4, 7, 7, 0]},
}
