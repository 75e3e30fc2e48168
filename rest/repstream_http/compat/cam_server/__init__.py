"""cam_server's REST interfaces: the camera server, the pipeline server, and their managers."""
