"""The WebSocket of the standard DAQ's driver: a view on the engine and its writer 1."""
