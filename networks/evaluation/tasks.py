"""What the workers of an evaluation do: outcomes of images, and noise of layers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from rich.progress import Progress

from networks.evaluation.floating_point import logits
from networks.evaluation.images import Images
from networks.evaluation.model import Model, batches_of, channels_last
from networks.evaluation.scoring import Scoring
from networks.evaluation.settings import FP32, Setting
from networks.graph.graph import Graph
from networks.graph.lowering import Array
from networks.quantization.arithmetic import Arithmetic
from networks.quantization.network import IntegerNode, QuantizedNetwork
from networks.quantization.statistics import noise
from support.tasks import run_tasks

BATCH_ELEMENTS = 1 << 22
"""Input elements of the images in one task."""
NOISE_IMAGES = 64
NOISE_ELEMENTS = 1 << 20


def _float_outcomes(content: bytes, name: str, scoring: Scoring, images: Images) -> Array:
    return scoring(logits(content, name, images.batch()), images, True)


def _integer_outcomes(
    scoring: Scoring, network: QuantizedNetwork, arithmetic: Arithmetic, images: Images
) -> Array:
    values = network.forward(network.quantize_images(channels_last(images.batch())), arithmetic)
    step, zero_point = network.quantizations[network.output]
    return scoring((values.astype(np.float64) - zero_point) * step, images, False)


def _outcomes(compute: Callable[..., Array], *arguments: Any) -> Array:
    return compute(*arguments)


def all_outcomes(
    model: Model,
    images: Images,
    scoring: Scoring,
    settings: Sequence[Setting],
    runs: Mapping[Setting, tuple[QuantizedNetwork, Arithmetic]],
    scheduler: str | None,
    progress: Progress,
) -> dict[Setting, Array]:
    """What ``scoring`` counts for each image, by setting."""
    batches = batches_of(images, BATCH_ELEMENTS)
    float_run: tuple[Any, ...] = (_float_outcomes, model.content, model.name, scoring)
    integer_run: tuple[Any, ...] = (_integer_outcomes, scoring)
    tasks = [
        (*(float_run if setting.activations == FP32 else (*integer_run, *runs[setting])), batch)
        for setting in settings
        for batch in batches
    ]
    task = progress.add_task("evaluating", total=len(tasks))
    results = run_tasks(_outcomes, tasks, scheduler, lambda: progress.advance(task))
    return {
        setting: np.concatenate(results[index * len(batches) : (index + 1) * len(batches)])
        for index, setting in enumerate(settings)
    }


@dataclass(frozen=True)
class Runs:
    """The integer networks of an evaluation; an object of its own, to be sent to a worker once."""

    of: Mapping[Setting, tuple[QuantizedNetwork, Arithmetic]]


Noises = Mapping[tuple[Setting, str], tuple[float, float]]
"""Energies of the output of a layer, or of a product of two values, and of its noise.

Of the network's output under ``OUTPUT``.
"""
OUTPUT = ""


def _noises(graph: Graph, runs: Runs, images: Images) -> Noises:
    outputs = {node.output: node.name for node in graph.product_nodes}
    reference = {}

    def keep(name: str, value: Any) -> None:
        if name in outputs or name == graph.output:
            reference[name] = value

    batch = channels_last(images.batch())
    graph.forward(batch, keep)
    found = {}
    for setting, (network, arithmetic) in runs.of.items():

        def compare(
            node: IntegerNode,
            value: Array,
            setting: Setting = setting,
            network: QuantizedNetwork = network,
        ) -> None:
            if node.output in reference:
                quantization = network.quantizations[node.output]
                energies = noise(reference[node.output], value, quantization)
                if node.output in outputs:
                    found[setting, outputs[node.output]] = energies
                if node.output == network.output:
                    found[setting, OUTPUT] = energies

        network.forward(network.quantize_images(batch), arithmetic, compare)
    return found


def all_noises(
    graph: Graph,
    calibration: Images,
    runs: Mapping[Setting, tuple[QuantizedNetwork, Arithmetic]],
    scheduler: str | None,
    progress: Progress,
) -> Noises:
    """The noise of each layer and of the network, over some of the images ``calibration``."""
    images = calibration.select(np.arange(min(NOISE_IMAGES, len(calibration))))
    sent = Runs(runs)
    tasks = [(graph, sent, batch) for batch in batches_of(images, NOISE_ELEMENTS)]
    task = progress.add_task("measuring noise", total=len(tasks))
    total: dict[tuple[Setting, str], tuple[float, float]] = {}
    for part in run_tasks(_noises, tasks, scheduler, lambda: progress.advance(task)):
        for key, (signal, error) in part.items():
            before = total.get(key, (0.0, 0.0))
            total[key] = (before[0] + signal, before[1] + error)
    return total
