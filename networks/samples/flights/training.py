"""Training of the recommender, in arithmetic that gives the same bits on every machine.

As :mod:`networks.samples.mnist.training`: sums of products are those of fixed-point numbers, and
the exponential is made of multiplications.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from networks.embedding.batch import Batch
from networks.embedding.recommender import Dense, Recommender
from networks.fixed_point import Float64Array, to_fixed_point
from networks.samples.mnist.training import softmax

SEED = 2013
EPOCHS = 1
BATCH = 512
RATE = 0.02
BOTTOM = (32, 16)
TOP = (64, 32)


def initial_recommender(
    sizes: Sequence[int], bag_size: int, dense: int, width: int, rng: np.random.Generator
) -> Recommender:
    """Tables and weights uniform as DLRM has them: by the number of rows, and He's."""

    def table(rows: int) -> Float64Array:
        values: Float64Array = (2 * rng.random((rows, width)) - 1) / np.sqrt(rows)
        return values

    def stack(first: int, widths: Sequence[int]) -> tuple[Dense, ...]:
        layers = []
        for depth, own in zip([first, *widths], widths, strict=False):
            bound = np.sqrt(6 / depth)
            layers.append(Dense((2 * rng.random((depth, own)) - 1) * bound, np.zeros(own)))
        return tuple(layers)

    tables = tuple(table(rows) for rows in sizes)
    bag = table(bag_size)
    first = (len(tables) + 1) * width + BOTTOM[-1]
    return Recommender(tables, bag, stack(dense, BOTTOM), stack(first, [*TOP, 1]))


def train(
    data: Batch,
    sizes: Sequence[int],
    bag_size: int,
    width: int,
    on_step: Callable[[], None] = lambda: None,
) -> Recommender:
    """A recommender of tables of ``sizes`` rows, trained on whole batches of ``data``."""
    rng = np.random.Generator(np.random.PCG64(SEED))
    model = initial_recommender(sizes, bag_size, data.dense.shape[1], width, rng)
    optimizer = Adagrad(model)
    per_epoch = len(data.labels) // BATCH
    for step in range(EPOCHS * per_epoch):
        if step % per_epoch == 0:
            order = rng.permutation(len(data.labels))[: per_epoch * BATCH].reshape(-1, BATCH)
        optimizer.step(data.select(order[step % per_epoch]), RATE)
        on_step()
    return model


@dataclass
class Adagrad:
    """Adagrad (Duchi et al., 2011) of a recommender, which :meth:`step` changes in place.

    Of tables it changes the rows that a batch looks up.
    """

    model: Recommender
    _squares: dict[int, Float64Array] = field(default_factory=dict)
    EPSILON = 1e-8

    def step(self, batch: Batch, rate: float) -> None:
        """Move everything against the gradient of the mean log loss of ``batch``."""
        model = self.model
        values = model.activations(batch)
        logits = values[-1]
        slope = softmax(np.concatenate([np.zeros_like(logits), logits], axis=1))[:, 1:]
        slope = (slope - batch.labels[:, np.newaxis]) / len(logits)
        count = len(model.bottom)
        inputs = values[count:-1]
        slope = self._through(model.top, inputs, slope, rate)
        width, kinds = model.width, len(model.tables)
        for kind, table in enumerate(model.tables):
            part = slope[:, kind * width : (kind + 1) * width]
            self._move_rows(table, batch.ids[:, kind], part, rate)
        bag = slope[:, kinds * width : (kinds + 1) * width]
        bag = np.where(values[count][:, kinds * width : (kinds + 1) * width] > 0, bag, 0)
        members = batch.bags.ravel()
        present = members >= 0
        spread = np.repeat(bag, batch.bags.shape[1], axis=0)
        self._move_rows(model.bag, members[present], spread[present], rate)
        rest = np.where(values[count - 1] > 0, slope[:, (kinds + 1) * width :], 0)
        self._through(model.bottom, [batch.dense, *values[: count - 1]], rest, rate)

    def _through(
        self,
        layers: Sequence[Dense],
        inputs: Sequence[Float64Array],
        slope: Float64Array,
        rate: float,
    ) -> Float64Array:
        """The slope of the first input; every layer is moved. Those between have a ReLU."""
        for index in reversed(range(len(layers))):
            layer = layers[index]
            fixed = to_fixed_point(slope)
            before = fixed @ to_fixed_point(layer.weights).T
            self._move(layer.weights, to_fixed_point(inputs[index]).T @ fixed, rate)
            self._move(layer.bias, fixed.sum(axis=0), rate)
            slope = np.where(inputs[index] > 0, before, 0) if index else before
        return slope

    def _move(self, values: Float64Array, slope: Float64Array, rate: float) -> None:
        squares = self._squares.setdefault(id(values), np.zeros_like(values))
        squares += slope * slope
        values -= rate * slope / (np.sqrt(squares) + self.EPSILON)

    def _move_rows(
        self, table: Float64Array, ids: npt.NDArray[np.int64], slope: Float64Array, rate: float
    ) -> None:
        squares = self._squares.setdefault(id(table), np.zeros_like(table))
        order = np.argsort(ids, kind="stable")
        sorted_ids = ids[order]
        starts = np.flatnonzero(np.diff(sorted_ids, prepend=-1))
        rows = sorted_ids[starts]
        own = np.add.reduceat(to_fixed_point(slope)[order], starts, axis=0)
        squares[rows] += own * own
        table[rows] -= rate * own / (np.sqrt(squares[rows]) + self.EPSILON)
