"""Mapped netlists: reading, timing and simulation."""
