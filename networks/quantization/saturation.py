"""Ranges of values that only functions take: as much as makes a difference to these."""

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from networks.fixed_point import Float64Array
from networks.graph.elementwise import Function
from networks.graph.graph import Graph
from networks.quantization.calibration import Range
from networks.quantization.operations import Int64Array

_POINTS = 4096
_STEPS = 255
"""Of the output of a function."""


def without_saturation(graph: Graph, ranges: Mapping[str, Range]) -> dict[str, Range]:
    """``ranges`` without the ends at which all functions that take a value stay what they are.

    A hard swish is 0 from -3 down: what it is taken of needs no bytes below. Ranges of values that
    anything else takes, and of the source and the output, are left as they are.
    """
    consumers = graph.consumers
    result = dict(ranges)
    for name, (low, high) in ranges.items():
        taking = consumers[name]
        functions = [node.operation for node in taking if isinstance(node.operation, Function)]
        fixed = name in (graph.source, graph.output)
        if fixed or not taking or len(functions) < len(taking) or not low < high:
            continue
        parts = [
            _part_that_matters(function, low, high, ranges[node.output])
            for function, node in zip(functions, taking, strict=True)
        ]
        result[name] = (min(part[0] for part in parts), max(part[1] for part in parts))
    return result


@lru_cache(maxsize=256)
def _part_that_matters(function: Function, low: float, high: float, output: Range) -> Range:
    """Of the range of all channels, what makes a difference to any.

    Kept, as a network is quantized once for each of many formats.
    """
    channels = function.expression.channels or 1
    lows, highs = part_that_matters(
        function, np.full(channels, low), np.full(channels, high), half_step(*output)
    )
    varying = lows < highs
    if not varying.any():
        return low, low
    return float(lows[varying].min()), float(highs[varying].max())


def half_step(low: npt.ArrayLike, high: npt.ArrayLike) -> Float64Array:
    """What makes no difference to a value from ``low`` to ``high`` in bytes."""
    result: Float64Array = (np.maximum(high, 0.0) - np.minimum(low, 0.0)) / _STEPS / 2
    return result


def part_that_matters(
    function: Function, low: Float64Array, high: Float64Array, tolerance: Float64Array
) -> tuple[Float64Array, Float64Array]:
    """The part of ``low`` to ``high`` beyond which ``function`` stays what it is at these ends.

    Of each channel, float64 (C,), and but for a ``tolerance``; ``low`` twice where that is all.
    """
    points = np.linspace(low, high, _POINTS)
    values = function(points)

    def same(values: Float64Array) -> Int64Array:
        # Of the values so far, the largest and the smallest may differ by the tolerance.
        spread = np.maximum.accumulate(values) - np.minimum.accumulate(values)
        count: Int64Array = (spread <= tolerance).sum(axis=0)
        return count

    first, last = same(values) - 1, len(points) - same(values[::-1])
    first, last = np.where(first < last, (first, last), 0)
    channels = np.arange(len(low))
    return points[first, channels], points[last, channels]
