"""Sardana controllers; a Pool loads them from this folder (PoolPath)."""
