"""Whole accelerators: their programs, what these compute, and how long they take."""
