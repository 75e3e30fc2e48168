"""The processes of cameras and pipelines: source, steps, one output; what a registry starts and asks."""
