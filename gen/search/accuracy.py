"""What the networks of choices are worth on images that the search has not seen."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.progress import Progress

from gen.search.choice import Choice
from networks.evaluation.images import Images
from networks.evaluation.model import Model, batches_of, channels_last
from networks.evaluation.scoring import Scoring, classification
from networks.quantization.arithmetic import Arithmetic
from networks.quantization.network import QuantizedNetwork
from support.tasks import run_tasks

BATCH_ELEMENTS = 1 << 22
"""Input elements of the images in one task."""
Right = npt.NDArray[np.float64]


def rights(
    model: Model,
    images: Images,
    choices: Sequence[Choice],
    progress: Progress,
    scheduler: str | None = None,
) -> list[Right]:
    """Of each of ``choices``: 100 for each of ``images`` whose class is right, else 0."""
    scoring = classification(model)
    parts = batches_of(images, BATCH_ELEMENTS)
    # Machines that differ in sides alone compute the same.
    networks = {(choice.numbers, choice.windowed): None for choice in choices}
    tasks = [
        (numbers.network(windowed), numbers.arithmetic, scoring, part)
        for numbers, windowed in networks
        for part in parts
    ]
    bar = progress.add_task("evaluating", total=len(tasks))
    done = run_tasks(_right, tasks, scheduler, lambda: progress.advance(bar))
    found = {
        key: np.concatenate(done[index * len(parts) : (index + 1) * len(parts)])
        for index, key in enumerate(networks)
    }
    return [found[choice.numbers, choice.windowed] for choice in choices]


def _right(
    network: QuantizedNetwork, arithmetic: Arithmetic, scoring: Scoring, images: Images
) -> Right:
    values = network.forward(network.quantize_images(channels_last(images.batch())), arithmetic)
    step, zero_point = network.quantizations[network.output]
    logits = (values.astype(np.float64) - zero_point) * step
    result: Right = 100.0 * (scoring(logits, images, False) == 0)
    return result


def change(name: str, own: Right, other: Right) -> dict[str, Any]:
    """The paired difference, and its standard error."""
    difference = own - other
    return {name: float(difference.mean()), f"{name}_error": error(difference)}


def error(values: Right) -> float:
    """The standard error of the mean."""
    return float(values.std() / np.sqrt(len(values)))
