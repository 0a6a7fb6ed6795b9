"""Log loss and area under the curve, against their definitions."""

import math

import numpy as np
import pytest

from networks.embedding.metrics import area_under_curve, log_losses


def test_log_loss() -> None:
    logits, labels = np.array([0.0, 2.0, -3.0, 800.0]), np.array([True, False, True, True])
    losses = log_losses(logits, labels)
    for logit, label, loss in zip(logits[:3].tolist(), labels.tolist(), losses, strict=False):
        probability = 1 / (1 + math.exp(-logit))
        assert loss == pytest.approx(-math.log(probability if label else 1 - probability))
    assert losses[3] == 0
    assert log_losses(np.array([800.0]), np.array([False])) == 800


def test_area_under_curve() -> None:
    """The share of pairs in the right order, ties half."""
    rng = np.random.default_rng(5)
    scores, labels = rng.integers(0, 6, 80), rng.random(80) < 0.3
    pairs = [
        1.0 if own > other else 0.5 if own == other else 0.0
        for own in scores[labels]
        for other in scores[~labels]
    ]
    assert area_under_curve(scores, labels) == pytest.approx(np.mean(pairs))
    assert area_under_curve(np.array([1, 2]), np.array([False, True])) == 1
    with pytest.raises(ValueError, match=r"^labels must be of both classes$"):
        area_under_curve(scores, np.ones(80, bool))
