"""The C drivers of engine and accelerator: one header each, which are used as they are."""

from pathlib import Path

DRIVER = Path(__file__).parent / "sparq_engine.h"
ACCELERATOR_DRIVER = Path(__file__).parent / "sparq_accelerator.h"
ACCELERATOR_MAIN = Path(__file__).parent / "accelerator_main.c"
"""An example that uses it."""
