"""The clips of each tensor by itself whose errors have the least L_p norm."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from networks.fixed_point import Float64Array
from networks.graph.operations import MatrixLayer
from networks.methods.coordinates import Coordinate, coordinates_of
from networks.methods.powers import power
from networks.methods.problem import Problem
from networks.quantization.clips import Clips
from support.tasks import run_tasks

WEIGHT_PARTS = 32
"""Clips of weights are multiples of one over this of the largest weight of the channel,"""
LEAST_WEIGHTS = 4
"""from so many on."""
VALUE_PARTS = 16
"""Clips of values are multiples of one over this of the calibrated range,"""
LEAST_VALUES, MOST_VALUES = 4, 32
"""from so many on to so many."""


def lp_clips(
    problem: Problem, exponents: Sequence[float], on_done: Callable[[], None] = lambda: None
) -> dict[float, Clips]:
    """For each of ``exponents`` p the clips whose errors have the least sum of powers p.

    Of weights each output channel by itself; of values all that share a scale, by the samples, of
    the bytes alone: what a window makes of them is left to the joint search. ``on_done`` is called
    after each layer.
    """
    integers = problem.objective.integers
    nodes = integers.graph.matrix_nodes
    tasks = []
    for node in nodes:
        assert isinstance(node.operation, MatrixLayer)
        levels = (1 << (integers.options.weight_bits - 1)) - 1
        tasks.append((node.operation.weights, levels, tuple(exponents)))
    weights = run_tasks(weight_clips, tasks, problem.objective.scheduler, on_done)
    result = {}
    for index, (exponent, ranges) in enumerate(_value_clips(problem, exponents).items()):
        own = {node.name: found[index] for node, found in zip(nodes, weights, strict=True)}
        result[exponent] = replace(ranges, weights=own)
    return result


def weight_clips(
    weights: Float64Array, levels: int, exponents: Sequence[float]
) -> list[Float64Array]:
    """Of ``weights`` (groups, K, N / groups), for each exponent: (N,).

    Integers are from -``levels`` to ``levels``.
    """
    largest = np.abs(weights).max(axis=1, keepdims=True)
    least = [np.full(largest.shape, np.inf) for _ in exponents]
    best = [largest.copy() for _ in exponents]
    for part in range(WEIGHT_PARTS, LEAST_WEIGHTS - 1, -1):
        clip = largest * (part / WEIGHT_PARTS)
        step = np.where(clip > 0, clip, 1.0) / levels
        errors = np.abs(np.clip(np.rint(weights / step), -levels, levels) * step - weights)
        for index, exponent in enumerate(exponents):
            # One after the other, whatever the processor.
            sums = np.add.accumulate(power(errors, exponent), axis=1)[:, -1:]
            better = sums < least[index]
            least[index] = np.where(better, sums, least[index])
            best[index] = np.where(better, clip, best[index])
    return [found.reshape(-1) for found in best]


def _value_clips(problem: Problem, exponents: Sequence[float]) -> dict[float, Clips]:
    base = problem.calibrated
    network = problem.objective.integers.network(base)
    coordinates = [
        each for each in coordinates_of(problem.objective.integers.graph, network) if each.values
    ]
    sums: dict[tuple[int, Coordinate], list[float]] = {}
    # Of equal sums the calibrated range counts, then the widest.
    parts = [VALUE_PARTS, *range(MOST_VALUES, LEAST_VALUES - 1, -1)]
    for part in parts:
        scaled = base
        for coordinate in coordinates:
            scaled = coordinate.scaled(scaled, part / VALUE_PARTS)
        quantizations = problem.objective.integers.network(scaled).quantizations
        for coordinate in coordinates:
            errors = np.concatenate(
                [
                    _errors(problem.observation.samples[name], *quantizations[name])
                    for name in coordinate.values
                ]
            )
            sums[part, coordinate] = [
                float(np.add.accumulate(power(errors, exponent))[-1]) for exponent in exponents
            ]
    result = {}
    for index, exponent in enumerate(exponents):
        clips = base
        for coordinate in coordinates:
            best = np.argmin([sums[part, coordinate][index] for part in parts])
            clips = coordinate.scaled(clips, parts[best] / VALUE_PARTS)
        result[exponent] = clips
    return result


def _errors(values: Float64Array, step: float, zero_point: int) -> Float64Array:
    """Of bytes for ``values``."""
    integers = np.clip(np.rint(values / step) + zero_point, 0, 255) - zero_point
    errors: Float64Array = np.abs(integers * step - values)
    return errors
