"""A configuration of gf_repstream for the tests."""

TWO_STREAMS = {
    "in_address": "tcp://127.0.0.1:9990",
    "in_zmq_mode": "PULL",
    "io_threads": 1,
    "buffer_size": 5000,
    "n_output_streams": 2,
    "send_output_mode": ["send_every_nth", "strides"],
    "send_output_param": [10, 3],
    "stream_ports": [9710, 9711],
    "stream_names": ["gpu", "preview"],
    "zmq_modes": ["PUSH", "PUB"],
    "frame_block": 15,
}
