"""The services of the standard DAQ as commands: with its arguments, on the same JSON document."""
