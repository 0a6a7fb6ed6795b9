"""What the benches share: their parameters, seed and check counts."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np

_file = os.environ.get("SPARQ_BENCH")
PARAMETERS: dict[str, Any] = json.loads(Path(_file).read_text()) if _file else {}
"""What ``run_bench`` passed, with ``seed``, ``rerun``, ``sidecar`` and ``checks`` (a file)."""


def generator(*stream: int) -> np.random.Generator:
    """The random numbers of this run's seed; those of different streams are independent."""
    return np.random.default_rng([PARAMETERS["seed"], *stream])


def where(text: str) -> str:
    """``text`` with what is needed to run again what failed."""
    return f"{text} (seed {PARAMETERS['seed']}; rerun: {PARAMETERS['rerun']})"


def record(checks: int) -> None:
    """Report a number of values compared."""
    with Path(PARAMETERS["checks"]).open("a") as file:
        file.write(f"{checks}\n")


def fields(word: int, widths: list[int]) -> list[int]:
    """The unsigned fields of ``word``, the lowest first."""
    values = []
    for width in widths:
        values.append(word & ((1 << width) - 1))
        word >>= width
    return values
