"""A graph whose nodes have words, and what their words and neighbours add up to."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from golden.aggregation import segment_sums

Float32Array = npt.NDArray[np.float32]
Int64Array = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Incidence:
    """A matrix of zeros and ones, by the places of the ones in each row.

    Row i has them in the columns of ``members`` from ``starts[i]`` to before ``starts[i + 1]``.
    """

    starts: Int64Array
    members: Int64Array

    @classmethod
    def of(cls, rows: Int64Array, columns: Int64Array, count: int) -> "Incidence":
        """The matrix of ``count`` rows with ones at ``rows`` and ``columns``."""
        order = np.lexsort((columns, rows))
        counts = np.bincount(rows, minlength=count)
        return cls(np.concatenate([[0], np.cumsum(counts)]), columns[order])

    @property
    def counts(self) -> Int64Array:
        """How many ones each row has."""
        return np.diff(self.starts)

    @property
    def rows(self) -> Int64Array:
        """The row of each of the ones."""
        return np.repeat(np.arange(len(self.counts)), self.counts)

    def dense(self, columns: int) -> npt.NDArray[np.uint8]:
        """The matrix itself, uint8 (rows, columns)."""
        matrix = np.zeros((len(self.counts), columns), np.uint8)
        matrix[self.rows, self.members] = 1
        return matrix

    def thinned(self, kept: npt.NDArray[np.bool_]) -> "Incidence":
        """The matrix with those of its ones that are ``kept``, in the order of ``members``."""
        before = np.concatenate([[0], np.cumsum(kept)])
        return Incidence(before[self.starts], self.members[kept])

    def __matmul__(self, values: npt.NDArray[Any]) -> Float32Array:
        """The sums of the rows of ``values`` that each row has."""
        sums: Float32Array = segment_sums(values[self.members], self.starts)
        return sums


@dataclass(frozen=True)
class NodeGraph:
    """Nodes with words, edges in both directions, a class for each node, and parts of the nodes.

    Parameters
    ----------
    neighbours : Incidence
        (N, N), symmetric; each node is a neighbour of itself.
    words : Incidence
        (N, ``vocabulary``).
    labels : int64 (N,)
    parts : mapping
        ``train``, ``validation`` and ``test``: numbers of nodes.
    """

    neighbours: Incidence
    words: Incidence
    vocabulary: int
    labels: Int64Array
    parts: Mapping[str, Int64Array]

    @property
    def degrees(self) -> Int64Array:
        """How many messages each node receives, its own among them."""
        return self.neighbours.counts

    @property
    def classes(self) -> int:
        """The number of classes."""
        return int(self.labels.max()) + 1

    @cached_property
    def word_places(self) -> tuple[Incidence, Int64Array]:
        """The words' nodes, (vocabulary, N), and where each of these ones is among the nodes'."""
        order = np.lexsort((self.words.rows, self.words.members))
        columns = self.words.members[order]
        counts = np.bincount(columns, minlength=self.vocabulary)
        starts = np.concatenate([[0], np.cumsum(counts)])
        return Incidence(starts, self.words.rows[order]), order
