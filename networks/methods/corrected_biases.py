"""Biases that take off what the integers of a network are wrong by on the mean."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from rich.progress import Progress

from networks.fixed_point import Float64Array
from networks.graph.graph import Graph, Node, propagate
from networks.graph.lowering import Array
from networks.graph.operations import MatrixLayer
from networks.methods.observation import Observation
from networks.methods.problem import Outcome, Problem
from networks.quantization.bias_correction import correct_biases
from networks.quantization.clips import Clips
from networks.quantization.operations import Bytes, IntegerMatrixLayer
from support.tasks import run_tasks

MAX_ELEMENTS = 1 << 23
"""Input elements of the images that means are taken of; more tell nothing new."""
PARTS = 8
"""In so many parts they are sent through the graph side by side."""
ByLayer = Mapping[str, Float64Array]


@dataclass(frozen=True, eq=False)
class LayerMeans:
    """Means over images of layers in floating point.

    ``inputs``, by layer: float64 (groups, K), of its lowered input; ``sums``: float64 (N,), of what
    it makes, with bias and before limits.
    """

    inputs: ByLayer
    sums: ByLayer


def layer_means(
    graph: Graph, seen: Observation, scheduler: str | None, progress: Progress
) -> LayerMeans:
    """Those of the images that a method saw, as many as :func:`spread` takes, on all cores."""
    images = spread(np.concatenate(seen.batches))
    parts = np.array_split(images, min(PARTS, len(images)))
    task = progress.add_task("means in floating point", total=len(parts))
    found = run_tasks(
        _totals, [(graph, part) for part in parts], scheduler, lambda: progress.advance(task)
    )
    inputs, sums = (
        {name: _mean([part[index][name] for part in found]) for name in found[0][index]}
        for index in range(2)
    )
    return LayerMeans(inputs, sums)


def correcting(problem: Problem, means: LayerMeans) -> Problem:
    """``problem``, of whose networks all biases make up for what the weights differ by."""
    objective = problem.objective
    integers = replace(objective.integers, means=means.inputs)
    return replace(problem, objective=replace(objective, integers=integers))


def with_weight_corrections(problem: Problem, outcome: Outcome, means: LayerMeans) -> Outcome:
    """An ``outcome`` of the problem that :func:`correcting` makes, its biases among the clips."""
    plain = problem.objective.integers
    corrected = replace(plain, means=means.inputs)
    before, after = (each.network(outcome.clips).layers for each in (plain, corrected))
    return _with_biases(problem, outcome, _changes(outcome.clips, before, after))


def with_sum_corrections(problem: Problem, outcome: Outcome, means: LayerMeans) -> Outcome:
    """``outcome`` with biases that make the sums of every layer those of floating point.

    On the mean, and in the format: of the images that the method saw, as many as :func:`spread`
    takes; layer by layer, each after the corrected ones before it.
    """
    integers = problem.objective.integers
    images: Bytes = spread(np.concatenate(problem.objective.batches))
    network = integers.network(outcome.clips)

    def asked(layer: IntegerMatrixLayer, x: Bytes) -> Float64Array:
        del x
        return means.sums[layer.name] - layer.offset

    corrected = correct_biases(network, integers.arithmetic, images, asked)
    changes = _changes(outcome.clips, network.layers, corrected.layers)
    return _with_biases(problem, outcome, changes)


def with_corrected_biases(problem: Problem, outcome: Outcome, means: LayerMeans) -> Outcome:
    """An ``outcome`` of the problem that :func:`correcting` makes, its biases among the clips.

    They are those of :func:`with_weight_corrections`, of :func:`with_sum_corrections` after it, or
    none, whichever has the least loss.
    """
    first = with_weight_corrections(problem, outcome, means)
    second = with_sum_corrections(problem, first, means)
    none = _with_biases(problem, outcome, {})
    found = min(first, second, none, key=lambda each: each.loss)
    told = {
        "none": none.loss,
        "weights": first.loss,
        "sums": second.loss,
        "loss": found.loss,
    }
    return replace(found, decided={**outcome.decided, "corrected_biases": told})


def spread(images: Array) -> Array:
    """As many of ``images`` (N, ...) as have ``MAX_ELEMENTS``, from all over them; one at least."""
    count = min(len(images), max(1, MAX_ELEMENTS // images[0].size))
    taken: Array = images[np.arange(count) * len(images) // count]
    return taken


def _with_biases(problem: Problem, outcome: Outcome, biases: ByLayer) -> Outcome:
    clips = replace(outcome.clips, biases=biases)
    (loss,) = problem.objective([clips])
    return replace(outcome, clips=clips, loss=loss)


def _changes(
    clips: Clips, before: Sequence[IntegerMatrixLayer], after: Sequence[IntegerMatrixLayer]
) -> ByLayer:
    """What is added to the biases of the graph, where ``before`` has those of ``clips``."""
    return {
        old.name: clips.biases.get(old.name, 0.0) + new.offset - old.offset
        for old, new in zip(before, after, strict=True)
    }


Total = tuple[Float64Array, int]
"""A sum of rows, and of how many."""


def _totals(graph: Graph, images: Array) -> tuple[dict[str, Total], dict[str, Total]]:
    """Of each layer those of its lowered input (groups, K), and of what it makes (N,)."""
    inputs: dict[str, Total] = {}
    sums: dict[str, Total] = {}

    def apply(node: Node, *values: Any) -> Array:
        layer: Any = node.operation
        value = layer(*values)
        if isinstance(layer, MatrixLayer):
            shape = len(layer.weights), layer.depth
            # One image at a time, as lowered ones take many times the room.
            rows = (layer.lowering.lower(image[np.newaxis], 0.0) for image in values[0])
            inputs[node.name] = _added([_total(each.reshape(-1, *shape)) for each in rows])
            sums[node.name] = _total(value.reshape(-1, layer.width))
        return node.clipped(value)

    propagate(graph.nodes, graph.source, images.astype(np.float64), graph.output, apply)
    return inputs, sums


def _total(rows: Array) -> Total:
    # One after the other, whatever the processor.
    return np.add.accumulate(rows, axis=0)[-1], len(rows)


def _added(totals: Sequence[Total]) -> Total:
    total, _ = _total(np.stack([total for total, _ in totals]))
    return total, sum(count for _, count in totals)


def _mean(totals: Sequence[Total]) -> Float64Array:
    total, count = _added(totals)
    return total / count
