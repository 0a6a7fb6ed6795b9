"""What a network in floating point does with the images that a method looks at."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from rich.progress import Progress

from networks.evaluation.images import Images
from networks.evaluation.labels import Labels
from networks.evaluation.model import Model, batches_of, channels_last
from networks.evaluation.preparation import CALIBRATION_ELEMENTS, naming
from networks.fixed_point import Float64Array
from networks.graph.graph import Graph
from networks.quantization.calibration import Limits, Range, limits_of, ranges_of
from networks.quantization.quantize import require_quantizable
from support.tasks import run_tasks

SAMPLES = 4096
"""Elements of a value that are drawn from each batch."""


@dataclass(frozen=True, eq=False)
class Observation:
    """The calibrated range of each value, some of its elements, and the output for all images.

    ``samples`` are float64 (n,), drawn as a seed says. ``batches`` are the images, channels-last,
    ``logits`` float64 (N, values), for each of them; ``labels`` those of all.
    """

    ranges: Mapping[str, Range]
    samples: Mapping[str, Float64Array]
    batches: Sequence[Any]
    logits: Sequence[Float64Array]
    labels: Labels


def observe(
    model: Model,
    images: Images,
    method: str,
    percentile: float,
    seed: int,
    progress: Progress,
    scheduler: str | None = None,
) -> Observation:
    """Send ``images`` through the graph of ``model``, on all cores.

    Ranges are those that an evaluation calibrates with the same images, to the bit. Raises
    ``ModelError`` for a model that cannot be quantized.
    """
    images.check()
    # The batches of calibration, for the same ranges.
    parts = batches_of(images, CALIBRATION_ELEMENTS)
    batches = [channels_last(part.batch()) for part in parts]
    graph = model.graph
    task = progress.add_task("observing", total=len(batches))
    tasks = [(graph, batch, method, percentile, seed, index) for index, batch in enumerate(batches)]
    with naming(model):
        require_quantizable(graph)
        seen = run_tasks(_observed, tasks, scheduler, lambda: progress.advance(task))
        ranges = ranges_of(graph, [each[0] for each in seen], method)
    samples = {name: np.concatenate([each[1][name] for each in seen]) for name in graph.shapes}
    return Observation(ranges, samples, batches, [each[2] for each in seen], images.labels)


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
