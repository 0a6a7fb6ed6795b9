"""A small recommender with random tables, and samples for it."""

import numpy as np

from networks.embedding.batch import Batch
from networks.embedding.recommender import Recommender
from networks.samples.flights.training import initial_recommender

SIZES, BAG, DENSE, LEGS = (5, 9), 7, 3, 4


def small_recommender(width: int = 6, seed: int = 18) -> Recommender:
    rng = np.random.default_rng(seed)
    return initial_recommender(SIZES, BAG, DENSE, width, rng)


def small_batch(count: int, seed: int = 4) -> Batch:
    """Bags of up to four; the first one is empty."""
    rng = np.random.default_rng(seed)
    ids = np.stack([rng.integers(0, rows, count) for rows in SIZES], axis=1)
    bags = np.where(rng.random((count, LEGS)) < 0.7, rng.integers(0, BAG, (count, LEGS)), -1)
    bags[0] = -1
    return Batch(rng.random((count, DENSE)), ids, bags, rng.random(count) < 0.4)
