"""Sums over neighbours, against a product with the adjacency matrix."""

import re
from typing import Any

import numpy as np
import pytest

from golden import exact_matmul
from golden.aggregation import aggregate


def test_sums_of_neighbours() -> None:
    """Nodes without any among them, and neighbours that come twice."""
    rng = np.random.default_rng(18)
    counts = np.array([3, 0, 5, 1, 0])
    neighbours = rng.integers(0, 5, counts.sum())
    starts = np.concatenate([[0], np.cumsum(counts)])
    messages = rng.integers(-128, 128, (5, 4), dtype=np.int8)
    adjacency = np.zeros((5, 5), np.uint8)
    np.add.at(adjacency, (np.repeat(np.arange(5), counts), neighbours), 1)
    sums = aggregate(messages, starts, neighbours)
    assert sums.dtype == np.int32
    np.testing.assert_array_equal(sums, exact_matmul(adjacency, messages))
    np.testing.assert_array_equal(aggregate(messages, [0] * 6, []), np.zeros((5, 4)))


MESSAGES = np.zeros((2, 1), np.int8)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ([[200]], [0, 0], []),
            "messages must be integers from -128 to 127, not 200 (at index [0, 0])",
        ),
        (([1], [0, 0], []), "messages must have the shape (N, C), not (1,)"),
        (
            (MESSAGES, [0, 1, 1], [2]),
            "neighbours must be integers from 0 to 1, not 2 (at index [0])",
        ),
        (
            (MESSAGES, [0, 1], [1]),
            "starts must ascend from 0 to 1, the number of neighbours, in 3 steps",
        ),
        (
            (MESSAGES, [0, 2, 1], [1]),
            "starts must ascend from 0 to 1, the number of neighbours, in 3 steps",
        ),
    ],
)
def test_what_is_refused(arguments: tuple[Any, Any, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        aggregate(*arguments)
