"""From a trained network and what was seen of it to what a method is given."""

from typing import Any

import numpy as np

from networks.evaluation.errors import DataError
from networks.evaluation.model import MAX_BATCH, Model
from networks.evaluation.preparation import Options, naming
from networks.evaluation.scoring import two_logits
from networks.evaluation.settings import Setting
from networks.methods.integers import Integers
from networks.methods.objective import CROSS_ENTROPY, Objective
from networks.methods.observation import Observation
from networks.methods.problem import Problem
from networks.quantization.clips import Clips
from networks.quantization.quantize import require_quantizable

BATCH_ELEMENTS = 1 << 22
"""Input elements of the images whose loss one task finds."""


def require_model(model: Model) -> None:
    """Raise ``DataError`` for a model whose outputs are no logits, ``ModelError`` for one that
    cannot be quantized.
    """
    if sum(side > 1 for side in model.output_shape) > 1:
        raise DataError(
            f"{model.name}: outputs must be logits, (classes,), not {model.output_shape}"
        )
    with naming(model):
        require_quantizable(model.graph)


def problem_of(
    model: Model,
    observation: Observation,
    options: Options,
    setting: Setting,
    kind: str,
    scheduler: str | None = None,
) -> Problem:
    """What a method is given to quantize ``model`` for ``setting``, on the images it was seen with.

    ``kind`` is one of :data:`networks.methods.objective.OBJECTIVES`; for cross-entropy images must
    be labelled. Raises what :func:`require_model` raises, and ``DataError`` for labels that are not
    classes of the model.
    """
    require_model(model)
    threshold = model.thresholds[1]
    targets: Any = observation.labels
    if kind != CROSS_ENTROPY:
        targets = two_logits(np.concatenate(observation.logits), threshold)
    elif targets.max() >= model.classes:
        raise DataError(
            f"labels must be below the model's {model.classes} classes, not {targets.max()}"
        )
    integers = Integers(model.graph, options, setting)
    # Nothing changes the range of the images.
    network = integers.network(Clips(observation.ranges))
    taken = np.concatenate([network.quantize_images(batch) for batch in observation.batches])
    count = min(MAX_BATCH, max(1, BATCH_ELEMENTS // taken[0].size))
    tops = range(count, len(taken), count)
    objective = Objective(
        *(integers, kind, np.split(taken, tops), np.split(targets, tops), threshold, scheduler)
    )
    return Problem(objective, observation)
