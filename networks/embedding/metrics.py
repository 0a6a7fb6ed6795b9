"""How good probabilities of two classes are."""

from typing import Any

import numpy as np
import numpy.typing as npt

Float64Array = npt.NDArray[np.float64]


def log_losses(logits: npt.NDArray[Any], labels: npt.NDArray[np.bool_]) -> Float64Array:
    """The log loss of each sample: of ``logits`` (M,) of the class ``True``, natural logarithm."""
    signed = np.where(labels, -logits, logits).astype(np.float64)
    losses: Float64Array = np.logaddexp(0, signed)
    return losses


def area_under_curve(scores: npt.NDArray[Any], labels: npt.NDArray[np.bool_]) -> float:
    """The probability that a sample of the class has a higher score than one without; ties half.

    Raises ``ValueError`` where all labels are one.
    """
    positive = int(labels.sum())
    negative = len(labels) - positive
    if not positive or not negative:
        raise ValueError("labels must be of both classes")
    _, rank, counts = np.unique(scores, return_inverse=True, return_counts=True)
    # The mean rank of equal scores, from 1.
    last = np.cumsum(counts)
    mean_rank = (last - (counts - 1) / 2)[rank]
    wins = mean_rank[labels].sum() - positive * (positive + 1) / 2
    return float(wins / (positive * negative))
