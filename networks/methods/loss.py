"""How wrong the logits of a network are, the same to the bit on every machine."""

import numpy as np

from networks import elementary
from networks.fixed_point import Float64Array
from networks.quantization.operations import Int64Array


def cross_entropy(logits: Float64Array, labels: Int64Array) -> Float64Array:
    """Minus the logarithm of the probability of each label: (N,), of logits (N, classes)."""
    logarithms = _log_probabilities(logits)
    own: Float64Array = -np.take_along_axis(logarithms, labels[:, np.newaxis], axis=1)[:, 0]
    return own


def divergence(logits: Float64Array, reference: Float64Array) -> Float64Array:
    """Kullback-Leibler divergence of each row's probabilities from those of ``reference``: (N,).

    Both are logits (N, classes).
    """
    target = _log_probabilities(reference)
    return _row_sums(elementary.exp(target) * (target - _log_probabilities(logits)))


def _log_probabilities(logits: Float64Array) -> Float64Array:
    shifted = logits - logits.max(axis=1, keepdims=True)
    result: Float64Array = shifted - elementary.log(_row_sums(elementary.exp(shifted)))[:, None]
    return result


def _row_sums(values: Float64Array) -> Float64Array:
    # One after the other: what sums in blocks may do so differently elsewhere.
    sums: Float64Array = np.add.accumulate(values, axis=1)[:, -1]
    return sums
