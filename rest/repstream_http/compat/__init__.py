"""The REST interfaces that this engine takes the place of: each a view on the same engine."""
