"""Comparing what hardware computed with what golden says."""

from typing import Any

import numpy as np
import numpy.typing as npt

import golden
from gen.configuration import Configuration


class MismatchError(Exception):
    """Hardware and golden differ: one line with the first differing element."""


def expected_product(
    configuration: Configuration, x: npt.NDArray[Any], w: npt.NDArray[Any]
) -> npt.NDArray[np.int32]:
    """What an array of ``configuration`` must compute for ``x`` (M, K) times ``w`` (K, N)."""
    if configuration.pe == "sparq":
        return golden.sparq_matmul(x, w, configuration.sparq_format, configuration.weight_bits)
    if configuration.pe == "2x4x8":
        x = x & 15
    return golden.exact_matmul(x, w, configuration.weight_bits)


def require_equal(what: str, got: npt.NDArray[Any], expected: npt.NDArray[Any]) -> None:
    """Raise :class:`MismatchError` at the first element that differs."""
    differs = got != expected
    if differs.any():
        row, column = (int(index) for index in np.argwhere(differs)[0])
        raise MismatchError(
            f"{what}: row {row}, column {column}: expected {expected[row, column]}, "
            f"got {got[row, column]} ({int(differs.sum())} of {differs.size} elements differ)"
        )
