"""The loss of an integer network: what methods make small."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from networks.evaluation.scoring import two_logits
from networks.fixed_point import Float64Array
from networks.methods.integers import Integers
from networks.methods.loss import cross_entropy, divergence
from networks.methods.shared_forward import SharedForward
from networks.quantization.clips import Clips
from support.tasks import run_tasks

CROSS_ENTROPY, DIVERGENCE = "cross-entropy", "divergence"
OBJECTIVES = (CROSS_ENTROPY, DIVERGENCE)


@dataclass(frozen=True, eq=False)
class Objective:
    """The mean loss of the network of :class:`Integers`, over the same images for all clips.

    ``kind`` is one of ``OBJECTIVES``: the cross-entropy of labels, or the divergence of the
    probabilities from those of logits in floating point. ``batches`` are images as the network
    takes them, whose range no clips change, and ``targets`` for each of them the labels, int64
    (N,), or these logits, float64 (N, classes). A single logit tells two
    classes apart by ``threshold``.
    """

    integers: Integers
    kind: str
    batches: Sequence[Any]
    targets: Sequence[Any]
    threshold: float = 0.0
    scheduler: str | None = None

    def __call__(self, candidates: Sequence[Clips]) -> list[float]:
        """The loss of each of ``candidates``, on all cores: the same on however many."""
        tasks = [
            (self.integers, self.kind, self.threshold, batch, target, list(candidates))
            for batch, target in zip(self.batches, self.targets, strict=True)
        ]
        parts = run_tasks(_losses, tasks, self.scheduler)
        losses = np.concatenate(parts, axis=1)
        return [math.fsum(own) / len(own) for own in losses.tolist()]


def _losses(
    integers: Integers,
    kind: str,
    threshold: float,
    images: Any,
    targets: Any,
    candidates: Sequence[Clips],
) -> Float64Array:
    """Of each candidate and image: (candidates, N)."""
    measure = cross_entropy if kind == CROSS_ENTROPY else divergence
    forward = SharedForward(images, integers.arithmetic)
    losses = []
    for clips in candidates:
        network = integers.network(clips)
        step, zero_point = network.quantizations[network.output]
        logits = (forward(network).astype(np.float64) - zero_point) * step
        losses.append(measure(two_logits(logits, threshold), targets))
    return np.stack(losses)
