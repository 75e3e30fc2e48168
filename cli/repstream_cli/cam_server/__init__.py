"""cam_server's programs under their own names and with their own options."""
