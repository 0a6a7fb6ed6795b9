"""Standard-cell libraries: their cells, functions and timing."""
