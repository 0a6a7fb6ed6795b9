"""Trained networks with real images: one that comes along, and others with their sources."""
