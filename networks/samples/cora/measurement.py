"""Accuracies on Cora: floating point, 8 and 4 bits, windows; with and without protected nodes."""

import itertools
from collections import defaultdict
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from rich.progress import Progress

from golden import named_format, sparq_matmul
from networks.message_passing.architecture import Architecture
from networks.message_passing.integer_network import (
    Bytes,
    Int32Array,
    Multiply,
    Precision,
    Weights,
    exact,
    quantize_network,
)
from networks.message_passing.node_graph import Int64Array, NodeGraph
from networks.message_passing.trained import Trained
from networks.samples.cora.training import Protection, Recipe, train
from support.tasks import run_tasks

FORMATS = ("5opt", "2opt", "7opt")
"""Window formats of 8-bit hidden activations, beside exact bytes."""
HUBS = 0.05
"""Share of the test nodes, those of the highest degrees, that is also counted by itself."""
PARTS = ("test", "hubs")

BEYOND = {8: 0.001, 4: 0.01}
"""What percentile ranges clip, by bits, as the authors' recipes have it."""
PROTECTIONS = {8: Protection(0.0, 0.1), 4: Protection(0.1, 0.2)}
"""Theirs, too."""


def uniform(bits: int, percentile: bool) -> Precision:
    """As many bits for weights, messages and hidden activations."""
    return Precision(bits, bits, bits, BEYOND[bits] if percentile else 0.0)


def after_training() -> dict[str, Precision]:
    """What networks trained in floating point run in: all in 8 bits, weights or hidden activations
    alone in 4, all in 4; with ranges of the largest values and with percentiles.
    """
    found: dict[str, Precision] = {}
    for percentile in (False, True):
        eight, four = (uniform(bits, percentile) for bits in (8, 4))
        precisions = {
            "INT8": eight,
            "W4": eight._replace(weights=4),
            # Of windows' width: what they are to be better than.
            "A4": eight._replace(activations=4, beyond=four.beyond),
            "INT4": four,
        }
        ranges = "percentile" if percentile else "max"
        found |= {f"{name}, {ranges}": precision for name, precision in precisions.items()}
    return found


def recipes(architecture: Architecture) -> dict[str, Recipe]:
    """Training in floating point, and for 8 and 4 bits by range and protection."""
    found = {"FP32": Recipe(architecture)}
    for bits, percentile in itertools.product((8, 4), (False, True)):
        for protected in (False, True):
            name = f"INT{bits}, {'percentile' if percentile else 'max'}"
            name += ", protected" if protected else ""
            protection = PROTECTIONS[bits] if protected else None
            found[name] = Recipe(architecture, uniform(bits, percentile), protection)
    return found


def windowed(format_name: str) -> Multiply:
    """Products in windows."""
    return partial(_windowed, format_name)


def _windowed(format_name: str, name: str, x: Bytes, w: Weights) -> Int32Array:
    del name
    return sparq_matmul(x, w, named_format(format_name))


def counted_nodes(graph: NodeGraph) -> dict[str, Int64Array]:
    """The test nodes, and the hubs among them; of equal degrees the first ones."""
    test = graph.parts["test"]
    order = np.argsort(-graph.degrees[test], kind="stable")
    return {"test": test, "hubs": test[order[: max(1, round(HUBS * len(test)))]]}


def accuracies(logits: Any, graph: NodeGraph) -> dict[str, float]:
    """The share of each of :data:`PARTS`, in per cent, whose largest logit is its class's."""
    right = logits.argmax(axis=1) == graph.labels
    return {name: float(100 * right[nodes].mean()) for name, nodes in counted_nodes(graph).items()}


def measure_network(network: Trained, graph: NodeGraph, recipe: str) -> dict[str, dict[str, float]]:
    """The accuracies of a network trained by the ``recipe``, by how it runs.

    One of floating point runs so, and in integers in several precisions; one trained for a
    precision in that one. Where hidden activations have 8 bits, in windows too.
    """
    found = {}
    given = recipes(network.architecture)[recipe].precision
    if given is None:
        found["FP32"] = accuracies(network.forward(graph).logits, graph)
    for name, precision in (after_training() if given is None else {recipe: given}).items():
        integers = quantize_network(network, graph, precision)
        found[name] = accuracies(integers.forward(graph, exact), graph)
        for fmt in FORMATS if precision.activations == 8 else ():
            found[f"{name}, {fmt}"] = accuracies(integers.forward(graph, windowed(fmt)), graph)
    return found


def train_and_measure(
    graph: NodeGraph, architecture: Architecture, recipe: str, seed: int
) -> tuple[Trained, dict[str, dict[str, float]]]:
    """A network, and its accuracies."""
    network = train(graph, recipes(architecture)[recipe], seed)
    return network, measure_network(network, graph, recipe)


def measure_cora(
    graph: NodeGraph,
    architecture: Architecture,
    seeds: Sequence[int],
    progress: Progress,
    scheduler: str | None = None,
) -> tuple[dict[str, Any], Trained]:
    """Train by each recipe with each seed; mean and deviation of accuracies, as plain data.

    On all cores, or on the Dask cluster at ``scheduler``. Also returns the first network trained in
    floating point.
    """
    names = [*recipes(architecture)]
    tasks = [(graph, architecture, name, seed) for name in names for seed in seeds]
    task = progress.add_task("training", total=len(tasks))
    results = run_tasks(train_and_measure, tasks, scheduler, lambda: progress.advance(task))
    collected: dict[tuple[str, str], list[dict[str, float]]] = defaultdict(list)
    for (_, _, recipe, _), (_, found) in zip(tasks, results, strict=True):
        for name, values in found.items():
            collected[recipe, name].append(values)
    plain = collected["FP32", "FP32"]
    rows = []
    for (recipe, name), values in collected.items():
        row: dict[str, Any] = {"trained": recipe, "runs": name}
        for part in PARTS:
            row[part] = _summary([each[part] for each in values])
        pairs = zip(values, plain, strict=True)
        row["difference"] = _summary([each["test"] - other["test"] for each, other in pairs])
        rows.append(row)
    result = {
        "architecture": architecture.name,
        "seeds": len(seeds),
        "nodes": len(graph.labels),
        "test": len(graph.parts["test"]),
        "largest_degree": int(graph.degrees.max()) - 1,
        "rows": rows,
    }
    return result, results[0][0]


def _summary(values: Sequence[float]) -> dict[str, float]:
    deviation = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
    return {"mean": round(float(np.mean(values)), 2), "deviation": round(deviation, 2)}
