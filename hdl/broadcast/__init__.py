"""Multipliers of operands that are decoded once, at the edge, and broadcast."""
