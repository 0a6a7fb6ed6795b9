"""Embeddings: rows of a table, for integers such as those of tokens."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from networks.fixed_point import Float64Array
from networks.graph.lowering import Array, Shape


@dataclass(frozen=True, eq=False)
class Embedding:
    """The row of ``table``, of floats (rows, features), for each integer, along a new last axis."""

    table: npt.NDArray[np.floating[Any]]

    def output_shape(self, shape: Shape) -> Shape:
        """Shape of the output."""
        return (*shape, self.table.shape[1])

    def __call__(self, x: Array) -> Float64Array:
        """The rows, float64, for integers in an array of whatever type."""
        result: Float64Array = self.table[x.astype(np.int64)].astype(np.float64)
        return result
