"""The C driver of the matrix engine: one header, which is used as it is."""

from pathlib import Path

DRIVER = Path(__file__).parent / "sparq_engine.h"
