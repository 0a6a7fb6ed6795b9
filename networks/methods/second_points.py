"""Second points for the channels whose outputs need them most (multipoint quantization)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np
from rich.progress import Progress

from networks.fixed_point import Float64Array
from networks.graph.graph import Graph
from networks.graph.operations import MatrixLayer
from networks.methods.coordinates import all_weights
from networks.methods.extra_columns import ExtraColumns, ranked_by, shuffled
from networks.methods.integers import Integers
from networks.methods.lp_clips import weight_clips
from networks.methods.problem import Outcome, Problem
from networks.quantization.clips import Clips
from networks.quantization.network import QuantizedNetwork
from networks.quantization.operations import Bytes, IntegerMatrixLayer
from networks.quantization.quantize import levels_of
from support.tasks import run_tasks

MAX_WEIGHT_BITS = 4
"""Of points whose combination is a weight of 8 bits."""
SQUARES = 2.0


@dataclass(frozen=True)
class SecondPoints:
    """What a method found, and then a second point for some channels: two columns for one.

    The first point is shifted by as many bits as a weight has: together they are any integer from
    -(2^(b-1) - 1) * (2^b + 1) to as much above 0. The clip of a channel with two points is that of
    the least squared error; all else, other channels too, stays as the method left it.

    Channels get them in the order of their errors: the mean square, over the images that the method
    saw, of what its second point changes in the channel's output, by the mean square of the outputs
    of its layer. The outputs are those of the integer network in its format, with one point.

    Parameters
    ----------
    columns : ExtraColumns
    cols : int
        Columns of the array that decides which ones are idle, and what all cost.
    seed : int, optional
        Channels are chosen by it alone: what the order is worth is the difference.
    """

    columns: ExtraColumns
    cols: int
    seed: int | None = None

    def __call__(self, problem: Problem, outcome: Outcome, progress: Progress) -> Outcome:
        """``outcome`` with second points, and its loss."""
        objective = problem.objective
        integers = objective.integers
        bits = integers.options.weight_bits
        single = all_weights(integers.graph, outcome.clips)
        double = _all_double(integers.graph, single, bits)
        task = progress.add_task("comparing points", total=len(objective.batches) + 1)
        parts = run_tasks(
            _squares,
            [(integers, single, double, batch) for batch in objective.batches],
            objective.scheduler,
            lambda: progress.advance(task),
        )
        errors = _relative(parts)
        ranked = ranked_by(errors) if self.seed is None else shuffled(errors, self.seed)
        network = integers.network(outcome.clips)
        chosen = self.columns.chosen(network.layers, ranked, self.cols)
        clips = outcome.clips
        for name, own in double.shifts.items():
            taken = np.isin(np.arange(len(own)), [c for layer, c in chosen if layer == name])
            if taken.any():
                weights = np.where(taken, double.weights[name], single.weights[name])
                clips = replace(
                    clips,
                    weights={**clips.weights, name: weights},
                    shifts={**clips.shifts, name: np.where(taken, own, 0)},
                )
        (loss,) = objective([clips])
        progress.advance(task)
        made = {
            "extra_columns": str(self.columns),
            "cols": self.cols,
            "random": self.seed is not None,
            "one_point_loss": outcome.loss,
            "loss": loss,
            **_costs(integers.graph, integers.network(clips), clips, self.cols),
        }
        return replace(
            outcome, clips=clips, loss=loss, decided={**outcome.decided, "second_points": made}
        )


def _all_double(graph: Graph, single: Clips, bits: int) -> Clips:
    """``single`` with two points in all channels."""
    weights, shifts = {}, {}
    for node in graph.matrix_nodes:
        if isinstance(node.operation, MatrixLayer):
            shifts[node.name] = np.full(node.operation.width, bits)
            levels = int(levels_of(bits, shifts[node.name]).max())
            (weights[node.name],) = weight_clips(node.operation.weights, levels, [SQUARES])
    return replace(single, weights=weights, shifts=shifts)


def _squares(
    integers: Integers, single: Clips, double: Clips, images: Bytes
) -> dict[str, tuple[Float64Array, float]]:
    """By layer: of each channel the sum of the squares of what a second point changes; and the mean
    over channels of the sums of the squares of outputs.
    """
    finer = {layer.name: layer for layer in integers.network(double).layers}
    found = {}

    def outputs(layer: IntegerMatrixLayer, x: Bytes) -> Any:
        return layer.biased(integers.arithmetic(layer, x)).reshape(len(x), -1, layer.width)

    def compare(layer: IntegerMatrixLayer, x: Bytes) -> None:
        fine = finer[layer.name]
        errors, powers = np.zeros(layer.width), np.zeros(layer.width)
        for coarse_sums, fine_sums in zip(outputs(layer, x), outputs(fine, x), strict=True):
            whole = fine_sums * fine.steps
            change = whole - coarse_sums * layer.steps
            # One after the other, whatever the processor.
            errors += np.add.accumulate(change * change, axis=0)[-1]
            powers += np.add.accumulate(whole * whole, axis=0)[-1]
        found[layer.name] = errors, float(np.add.accumulate(powers)[-1]) / layer.width

    integers.network(single).forward(images, integers.arithmetic, before=compare)
    return found


def _relative(parts: list[dict[str, tuple[Float64Array, float]]]) -> dict[str, Float64Array]:
    """By layer the errors of all batches, by the power of its outputs; 0 where that is."""
    result = {}
    for name in parts[0]:
        errors = sum(part[name][0] for part in parts)
        power = sum(part[name][1] for part in parts)
        result[name] = np.asarray(errors) / (power or 1.0)
    return result


def _costs(
    graph: Graph, network: QuantizedNetwork, clips: Clips, cols: int
) -> Mapping[str, int | float]:
    """Channels, extra columns, and the tiles and slices of an array as high as wide, for an image.

    Slices are of one step of the reduction: their ratio is that of the cycles that the machine is
    busy.
    """
    counts = dict.fromkeys(("channels", "columns", "tiles", "tiles_before"), 0)
    counts |= {"slices": 0, "slices_before": 0}
    outputs = {node.name: node.output for node in graph.matrix_nodes}
    for layer in network.layers:
        shifts = clips.shifts.get(layer.name, np.zeros(layer.width, int)).reshape(layer.groups, -1)
        extra = (shifts > 0).sum(axis=1)
        width = shifts.shape[1]
        rows = prod(graph.shapes[outputs[layer.name]][:-1])
        for name, columns in (("", extra + width), ("_before", np.full_like(extra, width))):
            tiles = -(-rows // cols) * int((-(-columns // cols)).sum())
            counts[f"tiles{name}"] += tiles
            counts[f"slices{name}"] += tiles * layer.depth
        counts["channels"] += layer.width
        counts["columns"] += int(extra.sum())
    return counts
