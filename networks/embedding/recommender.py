"""A deep learning recommendation model (DLRM, Naumov et al., 2019), in floating point."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from networks.embedding.batch import Batch
from networks.fixed_point import Float64Array, to_fixed_point


class Dense(NamedTuple):
    """A fully connected layer: weights (K, N) and bias (N,), float64."""

    weights: Float64Array
    bias: Float64Array

    def __call__(self, x: Float64Array) -> Float64Array:
        """The sums (M, N) of ``x`` (M, K), the same bits on every machine."""
        sums: Float64Array = to_fixed_point(x) @ to_fixed_point(self.weights) + self.bias
        return sums


@dataclass(frozen=True)
class Recommender:
    """Tables of categories, one of bags, and two stacks of layers.

    The numbers of a sample pass ``bottom``, each layer followed by ReLU. Its categories are looked
    up in ``tables`` (rows, width), one of each kind; its bag is the sum of rows of ``bag``, and
    ReLU of that. All of it side by side (DLRM's interaction ``cat``, where lookups meet weights) is
    the input of ``top``, with ReLU between its layers; the last one gives a logit.
    """

    tables: tuple[Float64Array, ...]
    bag: Float64Array
    bottom: tuple[Dense, ...]
    top: tuple[Dense, ...]

    @property
    def width(self) -> int:
        """The width of all tables."""
        return int(self.bag.shape[1])

    def embed(self, batch: Batch) -> tuple[Float64Array, Float64Array]:
        """The rows looked up, (M, kinds * width), and the sums of bags, (M, width)."""
        rows = [table[ids] for table, ids in zip(self.tables, batch.ids.T, strict=True)]
        return np.concatenate(rows, axis=1), pooled(self.bag, batch.bags)

    def forward(self, batch: Batch) -> Float64Array:
        """The logits (M,)."""
        return self.activations(batch)[-1][:, 0]

    def activations(self, batch: Batch) -> list[Float64Array]:
        """What each layer of ``bottom`` gives, the input of ``top``, what each of that gives."""
        values = relu_stack(self.bottom, batch.dense)
        rows, bag = self.embed(batch)
        values.append(np.concatenate([rows, np.maximum(bag, 0), values[-1]], axis=1))
        values += relu_stack(self.top[:-1], values[-1])
        return [*values, self.top[-1](values[-1])]


def relu_stack(layers: Sequence[Dense], x: Float64Array) -> list[Float64Array]:
    """What each of ``layers`` gives behind its ReLU; ``x`` is the first one's input."""
    values = []
    for layer in layers:
        x = np.maximum(layer(x), 0)
        values.append(x)
    return values


def pooled(table: Float64Array, bags: npt.NDArray[np.int64]) -> Float64Array:
    """The sum of the rows of each bag (M, L), -1 for none."""
    padded = np.concatenate([table, np.zeros((1, table.shape[1]))])
    total = padded[bags[:, 0]]
    for place in range(1, bags.shape[1]):
        total += padded[bags[:, place]]
    return total
