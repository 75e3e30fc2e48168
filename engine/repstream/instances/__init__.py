"""Cameras and pipelines: named engine instances that are made on demand and end when nobody listens."""
