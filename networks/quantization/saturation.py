"""Ranges of values that only functions take: as much as makes a difference to these."""

from collections.abc import Mapping
from functools import lru_cache

import numpy as np

from networks.fixed_point import Float64Array
from networks.graph.elementwise import Function
from networks.graph.graph import Graph
from networks.quantization.calibration import Range

_POINTS = 4096
_STEPS = 255
"""Of the output of a function; half of one makes no difference."""


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
    """The part of ``low`` to ``high`` beyond which ``function`` stays what it is at its ends.

    Kept, as a network is quantized once for each of many formats.
    """
    points = np.linspace(low, high, _POINTS)
    channels = function.expression.channels or 1
    values = function(np.repeat(points[:, np.newaxis], channels, axis=1))
    half_step = (max(output[1], 0.0) - min(output[0], 0.0)) / _STEPS / 2

    def first(values: Float64Array) -> int:
        # Of the values so far, the largest and the smallest may differ by half a step.
        spread = np.maximum.accumulate(values) - np.minimum.accumulate(values)
        same = (spread <= half_step).all(axis=1)
        return max(int(same.sum()) - 1, 0)

    last = len(points) - 1 - first(values[::-1])
    return float(points[min(first(values), last)]), float(points[last])
