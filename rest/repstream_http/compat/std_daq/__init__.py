"""The standard DAQ's REST interface: a view on the engine and its writer 1."""
