"""The range of every activation tensor, from images of the user's."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from networks.fixed_point import Float64Array
from networks.graph.graph import Graph

Range = tuple[float, float]
"""Smallest and largest value of a tensor that quantization keeps."""

METHODS = ("mean", "max", "percentile")
PERCENTILE = 99.99


Limits = Mapping[str, Float64Array]
"""Of each value the smallest and the largest element that count, of each image: (2, N)."""


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
    limits = [limits_of(graph, batch, method, percentile) for batch in batches]
    return ranges_of(graph, limits, method)


def limits_of(
    graph: Graph,
    batch: npt.NDArray[np.floating[Any]],
    method: str,
    percentile: float,
    observe: Callable[[str, Float64Array], None] = lambda name, value: None,
) -> Limits:
    """The part of :func:`calibrate` that is for each batch; ``observe`` sees every value, too."""
    limits: dict[str, Float64Array] = {}

    def keep(name: str, value: Float64Array) -> None:
        flat = value.reshape(len(value), -1)
        if method == "percentile" and name != graph.source:
            limits[name] = np.percentile(flat, [100 - percentile, percentile], axis=1)
        else:
            limits[name] = np.stack([flat.min(axis=1), flat.max(axis=1)])
        observe(name, value)

    graph.forward(batch, keep)
    return limits


def ranges_of(graph: Graph, limits: Sequence[Limits], method: str) -> Mapping[str, Range]:
    """The part of :func:`calibrate` that is for all batches, of the ``limits`` of each."""
    if not limits:
        raise ValueError("images must hold at least 1 image to calibrate with, not 0")
    ranges = {}
    for name in graph.shapes:
        lows, highs = np.concatenate([part[name] for part in limits], axis=1)
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
