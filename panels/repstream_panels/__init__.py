"""Panels for operators, made from what the running servers declare."""
