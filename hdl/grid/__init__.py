"""Grids of elements, built of halves."""
