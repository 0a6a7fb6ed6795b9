"""Trained networks with real images: one that comes along, and two that are shared."""
