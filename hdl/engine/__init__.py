"""The matrix engine: a machine with buffers, commands and requantization around it, on a bus."""
