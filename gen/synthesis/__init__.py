"""Synthesis to standard cells: area, delay and energy of the generated hardware."""
