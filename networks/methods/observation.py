"""What a network in floating point does with the images that a method looks at."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from networks.fixed_point import Float64Array
from networks.graph.graph import Graph
from networks.quantization.calibration import Limits, Range, limits_of, ranges_of
from support.tasks import run_tasks

SAMPLES = 4096
"""Elements of a value that are drawn from each batch."""


@dataclass(frozen=True, eq=False)
class Observation:
    """The calibrated range of each value, some of its elements, and the output for all images.

    ``samples`` are float64 (n,), drawn as a seed says; ``logits`` float64 (N, values), by batch.
    """

    ranges: Mapping[str, Range]
    samples: Mapping[str, Float64Array]
    logits: Sequence[Float64Array]


def observe(
    graph: Graph,
    batches: Sequence[Any],
    method: str,
    percentile: float,
    seed: int,
    scheduler: str | None = None,
    on_done: Callable[[], None] = lambda: None,
) -> Observation:
    """Send ``batches``, channels-last, through ``graph``, on all cores.

    Ranges are those of :func:`networks.quantization.calibration.calibrate`, to the bit. ``on_done``
    is called after each batch. Raises ``ValueError`` as ``calibrate``.
    """
    tasks = [(graph, batch, method, percentile, seed, index) for index, batch in enumerate(batches)]
    parts = run_tasks(_observed, tasks, scheduler, on_done)
    limits = [part[0] for part in parts]
    samples = {name: np.concatenate([part[1][name] for part in parts]) for name in graph.shapes}
    return Observation(ranges_of(graph, limits, method), samples, [part[2] for part in parts])


def _observed(
    graph: Graph, batch: Any, method: str, percentile: float, seed: int, index: int
) -> tuple[Limits, dict[str, Float64Array], Float64Array]:
    drawn = np.random.Generator(np.random.PCG64([seed, index]))
    samples = {}
    logits = []

    def keep(name: str, value: Float64Array) -> None:
        samples[name] = value.reshape(-1)[drawn.integers(value.size, size=SAMPLES)]
        if name == graph.output:
            logits.append(value.reshape(len(value), -1))

    limits = limits_of(graph, batch, method, percentile, keep)
    return limits, samples, logits[0]
