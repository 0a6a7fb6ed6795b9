"""The range of every activation tensor, from images of the user's."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from networks.fixed_point import Float64Array
from networks.graph.graph import Graph

Range = tuple[float, float]
"""Smallest and largest value of a tensor that quantization keeps."""

METHODS = ("mean", "max", "percentile")
PERCENTILE = 99.99


def calibrate(
    graph: Graph,
    batches: Iterable[npt.NDArray[np.floating[Any]]],
    method: str = "mean",
    percentile: float = PERCENTILE,
) -> Mapping[str, Range]:
    """The range of each value of ``graph`` over all images of ``batches`` (N, ...), channels-last.

    ``method`` says what becomes of the images' ranges: their ``mean``, as in the paper (section 5);
    their extremes (``max``); or the mean of each image's ``percentile`` (per cent of its elements
    that are within). The source of the images keeps its extremes always. Raises ``ValueError`` for
    another method, no images, or a value that is not finite.
    """
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}, not {method!r}")
    if not 50 < percentile <= 100:
        raise ValueError(f"percentile must be above 50 and at most 100, not {percentile}")
    low: dict[str, list[Float64Array]] = {}
    high: dict[str, list[Float64Array]] = {}

    def observe(name: str, value: Float64Array) -> None:
        flat = value.reshape(len(value), -1)
        if method == "percentile" and name != graph.source:
            limits = np.percentile(flat, [100 - percentile, percentile], axis=1)
        else:
            limits = np.stack([flat.min(axis=1), flat.max(axis=1)])
        low.setdefault(name, []).append(limits[0])
        high.setdefault(name, []).append(limits[1])

    for batch in batches:
        graph.forward(batch, observe)
    if not low:
        raise ValueError("images must hold at least 1 image to calibrate with, not 0")
    ranges = {}
    for name in graph.shapes:
        lows, highs = np.concatenate(low[name]), np.concatenate(high[name])
        if not (np.isfinite(lows).all() and np.isfinite(highs).all()):
            raise ValueError(f"the value {name!r} is not finite on the calibration images")
        if method == "max" or name == graph.source:
            ranges[name] = (float(lows.min()), float(highs.max()))
        else:
            ranges[name] = (float(lows.mean()), float(highs.mean()))
        if name in graph.parts:
            low_part, high_part = graph.parts[name]
            ranges[name] = (max(ranges[name][0], low_part), min(ranges[name][1], high_part))
    return ranges
