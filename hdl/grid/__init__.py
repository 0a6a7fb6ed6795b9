"""Grids of elements, units or parts of edges, built of halves."""
