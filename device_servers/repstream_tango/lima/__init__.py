"""The device of Lima's clients, `LimaCCDs`, as a table over the catalogue."""
