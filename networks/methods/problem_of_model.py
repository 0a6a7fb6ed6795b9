"""From a trained network and images to what a method is given."""

from typing import Any

import numpy as np
from rich.progress import Progress

from networks.evaluation.errors import DataError
from networks.evaluation.images import Images
from networks.evaluation.model import MAX_BATCH, Model, batches_of, channels_last
from networks.evaluation.preparation import CALIBRATION_ELEMENTS, Options
from networks.evaluation.scoring import two_logits
from networks.evaluation.settings import Setting
from networks.importer import ModelError
from networks.methods.integers import Integers
from networks.methods.objective import CROSS_ENTROPY, Objective
from networks.methods.observation import observe
from networks.methods.problem import Problem
from networks.quantization.clips import Clips
from networks.quantization.quantize import require_quantizable

BATCH_ELEMENTS = 1 << 22
"""Input elements of the images whose loss one task finds."""


def problem_of(
    model: Model,
    images: Images,
    options: Options,
    setting: Setting,
    kind: str,
    seed: int,
    progress: Progress,
    scheduler: str | None = None,
) -> Problem:
    """What a method is given to quantize ``model`` on ``images`` for ``setting``.

    ``kind`` is one of :data:`networks.methods.objective.OBJECTIVES`; for cross-entropy images must
    be labelled. ``seed`` draws the elements that clips are chosen by. Raises ``ModelError`` for a
    model that cannot be quantized, ``DataError`` for outputs that are no logits, and for labels
    that are not its classes.
    """
    if sum(side > 1 for side in model.output_shape) > 1:
        raise DataError(f"outputs must be logits, (classes,), not {model.output_shape}")
    if kind == CROSS_ENTROPY and int(images.labels.max()) >= model.classes:
        raise DataError(
            f"labels must be below the model's {model.classes} classes, not {images.labels.max()}"
        )
    images.check()
    # The batches of calibration: ranges are the same to the bit.
    parts = batches_of(images, CALIBRATION_ELEMENTS)
    batches: list[Any] = [channels_last(part.batch()) for part in parts]
    task = progress.add_task("observing", total=len(batches))
    graph = model.graph

    def done() -> None:
        progress.advance(task)

    try:
        require_quantizable(graph)
        observation = observe(
            *(graph, batches, options.method, options.percentile, seed, scheduler), done
        )
    except ValueError as error:
        raise ModelError(f"{model.name}: {error}") from None
    threshold = model.thresholds[1]
    targets: Any = (
        images.labels
        if kind == CROSS_ENTROPY
        else two_logits(np.concatenate(observation.logits), threshold)
    )
    integers = Integers(graph, options, setting)
    # Nothing changes the range of the images.
    network = integers.network(Clips(observation.ranges))
    taken = np.concatenate([network.quantize_images(batch) for batch in batches])
    count = min(MAX_BATCH, max(1, BATCH_ELEMENTS // taken[0].size))
    tops = range(count, len(taken), count)
    objective = Objective(
        *(integers, kind, np.split(taken, tops), np.split(targets, tops), threshold, scheduler)
    )
    return Problem(objective, observation)
