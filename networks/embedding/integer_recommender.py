"""The recommender in integers: lookups feed the array as they are, everything else as bytes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from golden import FixedPointScale, exact_matmul, requantize
from golden.embedding import FRACTION_BITS, CodebookTable, RowTable, fold, pool, requantize_wide
from golden.format import ACTIVATION_MAX
from networks.embedding.batch import Batch
from networks.embedding.recommender import Dense, Recommender
from networks.fixed_point import Float64Array

Bytes = npt.NDArray[np.uint8]
Weights = npt.NDArray[np.int8]
Int32Array = npt.NDArray[np.int32]
Multiply = Callable[[str, Bytes, Weights], Int32Array]
"""What an array makes of activations (M, K) and weights (K, N); the product has a name."""

WEIGHT_MAX = 127


def exact(name: str, x: Bytes, w: Weights) -> Int32Array:
    """The exact 8-bit product."""
    del name
    return exact_matmul(x, w)


@dataclass(frozen=True)
class Requantization:
    """From sums to the bytes of the next layer, by output channel: (N,) each."""

    multiplier: npt.NDArray[np.int64]
    shift: npt.NDArray[np.int64]

    @classmethod
    def of(cls, factors: npt.NDArray[np.float64]) -> "Requantization":
        """The nearest to ``factors`` (N,)."""
        scales = [FixedPointScale.nearest(float(factor)) for factor in factors]
        return cls(
            np.array([scale.multiplier for scale in scales], np.int64),
            np.array([scale.shift for scale in scales], np.int64),
        )


@dataclass(frozen=True)
class IntegerDense:
    """A layer of weights (K, N) int8, whose sums and bias (N,) have steps of (N,)."""

    name: str
    weights: Weights
    bias: npt.NDArray[np.int64]
    step: Float64Array

    @classmethod
    def of(cls, name: str, layer: Dense, input_step: float) -> "IntegerDense":
        """``layer`` with a symmetric scale for each output channel; its input has one step."""
        largest = np.maximum(np.abs(layer.weights).max(axis=0), np.finfo(np.float64).tiny)
        scale = largest / WEIGHT_MAX
        weights = np.rint(layer.weights / scale).astype(np.int8)
        step = scale * input_step
        return cls(name, weights, np.rint(layer.bias / step).astype(np.int64), step)

    def sums(self, x: Bytes, multiply: Multiply) -> Int32Array:
        """The products with the bias."""
        return (multiply(self.name, x, self.weights) + self.bias).astype(np.int32)


@dataclass(frozen=True)
class IntegerRecommender:
    """A :class:`Recommender` in integers.

    The first layer of ``top`` meets the parts of its input one by one: codes of rows with a scale
    and a bias of their own, which fold out of the product without any loss; the bytes of bags and
    of what ``bottom`` gives, each with one scale in half precision. Its sums are integers in units
    of ``2**-24`` steps of the weights.
    """

    tables: tuple[RowTable, ...]
    bag: RowTable
    bag_scale: np.float16
    bag_requantization: Requantization
    bottom: tuple[IntegerDense, ...]
    bottom_scale: np.float16
    top: tuple[IntegerDense, ...]
    requantizations: tuple[Requantization, ...]
    """Of the layers of ``bottom`` and of ``top``, but for the last one."""

    def forward(self, batch: Batch, multiply: Multiply = exact) -> Float64Array:
        """The logits (M,): integers times a step."""
        scales = iter(self.requantizations)
        x = np.rint(batch.dense * ACTIVATION_MAX).astype(np.uint8)
        for layer in self.bottom:
            own = next(scales)
            x = requantize(layer.sums(x, multiply), own.multiplier, own.shift)
        first = self.top[0]
        sums = self._folded(batch, x, multiply) + first.bias
        own = next(scales)
        x = requantize_wide(sums, own.multiplier, own.shift)
        for layer in self.top[1:-1]:
            own = next(scales)
            x = requantize(layer.sums(x, multiply), own.multiplier, own.shift)
        last = self.top[-1]
        logits: Float64Array = last.sums(x, multiply)[:, 0] * last.step[0]
        return logits

    def _folded(self, batch: Batch, dense: Bytes, multiply: Multiply) -> npt.NDArray[np.int64]:
        """The products of the first layer of ``top``."""
        codes, scale, bias = self.bag.lookup(np.maximum(batch.bags, 0))
        pooled = pool(codes, scale, bias, batch.bags >= 0)
        own = self.bag_requantization
        bag = requantize_wide(pooled, own.multiplier, own.shift)
        count, nothing = len(dense), np.float16(0)
        lookups = [table.lookup(ids) for table, ids in zip(self.tables, batch.ids.T, strict=True)]
        parts = [
            *((f"lookup{kind}", *lookup) for kind, lookup in enumerate(lookups)),
            ("bag", bag, np.full(count, self.bag_scale), np.full(count, nothing)),
            ("dense", dense, np.full(count, self.bottom_scale), np.full(count, nothing)),
        ]
        total = np.zeros((count, self.top[0].weights.shape[1]), np.int64)
        top = 0
        for name, bytes_, scale, bias in parts:
            weights = self.top[0].weights[top : top + bytes_.shape[1]]
            top += bytes_.shape[1]
            products = multiply(f"{self.top[0].name} {name}", bytes_, weights)
            total += fold(products, scale, bias, weights.sum(axis=0, dtype=np.int32))
        return total


def row_table(table: RowTable | CodebookTable) -> RowTable:
    """``table`` as an array takes its rows: codebooks as bytes of one range for all of them.

    A codebook's values are no multiples of one step, so they do not fold out of a product.
    """
    if isinstance(table, RowTable):
        return table
    values = table.values()
    low = np.float16(values.min())
    scale = np.float16((values.max() - float(low)) / ACTIVATION_MAX) or np.float16(1)
    codes = np.clip(np.rint((values - float(low)) / float(scale)), 0, ACTIVATION_MAX)
    rows = len(values)
    return RowTable(codes.astype(np.uint8), np.full(rows, scale), np.full(rows, low), 8)


def quantize_recommender(
    model: Recommender,
    tables: Sequence[RowTable | CodebookTable],
    bag: RowTable | CodebookTable,
    calibration: Batch,
) -> IntegerRecommender:
    """``model`` with its tables as ``tables`` and ``bag``, 8-bit weights and activations.

    Ranges are the largest activations of ``calibration``, with these tables.
    """
    coded = replace(model, tables=tuple(t.values() for t in tables), bag=bag.values())
    values = coded.activations(calibration)
    steps = [float(value.max()) / ACTIVATION_MAX or 1.0 for value in values]
    count = len(model.bottom)
    in_bytes = 1 / ACTIVATION_MAX
    bottom = [
        IntegerDense.of(f"bottom{index}", layer, step)
        for index, (layer, step) in enumerate(
            zip(model.bottom, [in_bytes, *steps[: count - 1]], strict=True)
        )
    ]
    top = [
        IntegerDense.of(f"top{index}", layer, step)
        for index, (layer, step) in enumerate(
            zip(model.top, [2.0**-FRACTION_BITS, *steps[count + 1 : -1]], strict=True)
        )
    ]
    factors = [layer.step / step for layer, step in zip(bottom, steps[:count], strict=True)]
    factors += [
        layer.step / step for layer, step in zip(top[:-1], steps[count + 1 : -1], strict=True)
    ]
    largest = float(coded.embed(calibration)[1].max())
    bag_scale = np.float16(largest / ACTIVATION_MAX) if largest > 0 else np.float16(1)
    width = np.ones(model.width)
    return IntegerRecommender(
        tables=tuple(map(row_table, tables)),
        bag=row_table(bag),
        bag_scale=bag_scale,
        bag_requantization=Requantization.of(width * 2.0**-FRACTION_BITS / float(bag_scale)),
        bottom=tuple(bottom),
        bottom_scale=np.float16(steps[count - 1]),
        top=tuple(top),
        requantizations=tuple(map(Requantization.of, factors)),
    )
