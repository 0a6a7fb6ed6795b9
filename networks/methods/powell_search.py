"""A joint search in directions that are found on the way (Powell, by SciPy)."""

from collections.abc import Callable, Sequence
from math import log
from typing import Any

import numpy as np
from scipy.optimize import minimize

from networks import elementary
from networks.methods.coordinates import Coordinate
from networks.methods.objective import Objective
from networks.quantization.clips import Clips

LEAST, MOST = log(0.25), log(2.0)
"""Logarithms of the factors between which each clip is searched."""
TOLERANCE = 0.02
"""Of logarithms of factors, and of losses relative to one another: finer is not worth the time."""


def powell_search(
    objective: Objective,
    clips: Clips,
    loss: float,
    coordinates: Sequence[Coordinate],
    passes: int,
    on_done: Callable[[], None] = lambda: None,
) -> tuple[Clips, list[float]]:
    """From ``clips``, of this ``loss``, to better ones, and the least loss after each evaluation.

    ``passes`` are iterations of the method, each a line search along as many directions as there
    are ``coordinates``. The best clips that were evaluated count, wherever the method ends.
    ``on_done`` is called after each evaluation.
    """
    best, trace = [clips], [loss]

    def value(logarithms: Any) -> float:
        candidate = clips
        for coordinate, factor in zip(coordinates, elementary.exp(logarithms), strict=True):
            candidate = coordinate.scaled(candidate, float(factor))
        (own,) = objective([candidate])
        if own < trace[-1]:
            best[0] = candidate
        trace.append(min(own, trace[-1]))
        on_done()
        return own

    if passes:
        minimize(
            value,
            np.zeros(len(coordinates)),
            method="Powell",
            bounds=[(LEAST, MOST)] * len(coordinates),
            options={"maxiter": passes, "xtol": TOLERANCE, "ftol": TOLERANCE},
        )
    return best[0], trace[1:]
