"""The linear head that classifies embeddings, in an ``.npz`` file."""

from pathlib import Path

import numpy as np

from networks.evaluation.errors import DataError
from networks.evaluation.scoring import Embedding

WEIGHT, BIAS, MEAN, DEVIATION = "head_weight", "head_bias", "head_mean", "head_deviation"


def load_head(path: Path, features: int) -> Embedding:
    """The head in the arrays ``head_weight`` (features, classes) and ``head_bias`` (classes,).

    And of ``head_mean`` and ``head_deviation`` (features,), by default 0 and 1. Raises
    :class:`DataError`.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            found = {
                name: np.asarray(arrays[name], np.float64)
                for name in (WEIGHT, BIAS, MEAN, DEVIATION)
                if name in arrays
            }
    except (OSError, ValueError, TypeError) as error:
        raise DataError(f"{path}: no head for embeddings ({error})") from None
    if WEIGHT not in found:
        raise DataError(f"{path}: the task embedding needs the arrays {WEIGHT} and {BIAS}")
    weight = found[WEIGHT]
    if weight.ndim != 2 or len(weight) != features:
        raise DataError(
            f"{path}: {WEIGHT} must have the shape ({features}, classes), not {weight.shape}"
        )
    sizes = {BIAS: weight.shape[1], MEAN: features, DEVIATION: features}
    found = {
        BIAS: np.zeros(sizes[BIAS]),
        MEAN: np.zeros(features),
        DEVIATION: np.ones(features),
    } | found
    for name, size in sizes.items():
        if found[name].shape != (size,):
            raise DataError(
                f"{path}: {name} must have the shape ({size},), not {found[name].shape}"
            )
    if not all(np.isfinite(array).all() for array in found.values()) or not found[DEVIATION].all():
        raise DataError(f"{path}: a head must be finite, and no deviation of it 0")
    return Embedding(weight, found[BIAS], found[MEAN], found[DEVIATION])
