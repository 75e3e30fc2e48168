"""Instances that several servers run: which one each of them goes to, and what becomes of it there."""
