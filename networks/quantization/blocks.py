"""Activations and weights in block formats."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from golden import BlockFormat, block_values
from golden.block_format import block_largest
from networks.fixed_point import Float64Array
from networks.graph.lowering import Array
from networks.quantization.operations import Bytes, IntegerMatrixLayer, rows_in_order

VALUES = 256
WEIGHT_BITS = 18
"""Weights are multiples of so small a power of two of an integer weight's step, that sums of their
products with bytes, or with what blocks make of these, are exact in float64."""


@dataclass(frozen=True)
class Blocks:
    """A :class:`Coding` of activations: what bytes stand for, in blocks along K.

    That is ``golden.block_values`` of the bytes less their zero point, times the step of the input,
    which ``steps`` has by layer. The scale of a tensor, where the format has one, is that of the
    largest value that a byte can stand for.
    """

    fmt: BlockFormat
    steps: Mapping[str, float]

    def span(self, layer: IntegerMatrixLayer) -> int:
        """A block."""
        del layer
        return self.fmt.block

    def __call__(self, x: Bytes, layer: IntegerMatrixLayer) -> Array:
        """The values of elements times scales, float64."""
        values = x.astype(np.int16) - np.int16(layer.fill)
        magnitudes = np.abs(values)
        largest = np.repeat(block_largest(magnitudes, self.fmt.block), self.fmt.block, axis=-1)
        index = largest[..., : x.shape[-1]].astype(np.uint16) << 8 | magnitudes.astype(np.uint16)
        coded = np.take(_table(self.fmt, self.unit(layer)), index)
        result: Array = np.where(values < 0, -coded, coded)
        return result

    def unit(self, layer: IntegerMatrixLayer) -> float:
        """That of the format; or the step's part that is no power of two."""
        if self.fmt.scale is None:
            return 1 / float(np.frexp(self.steps[layer.name])[0])
        return self.fmt.unit(float(max(layer.fill, VALUES - 1 - layer.fill)))


@lru_cache(maxsize=64)
def _table(fmt: BlockFormat, unit: float) -> Float64Array:
    """What becomes of each magnitude, by 256 times its block's largest one and itself."""
    magnitudes = np.arange(VALUES) / unit
    scales = fmt.scales(magnitudes)
    table = fmt.values(magnitudes[np.newaxis], scales[:, np.newaxis])
    return table.reshape(-1)


def block_weights(
    layer: IntegerMatrixLayer, weights: Float64Array, input_step: float, fmt: BlockFormat
) -> Float64Array:
    """``weights``, those that ``layer`` was made of, in blocks along K, in steps of its own.

    That is ``golden.block_values``, on a grid of ``2**-WEIGHT_BITS`` steps. ``input_step`` is what
    a unit of the layer's input stands for.
    """
    steps = (layer.steps / input_step).reshape(len(weights), 1, -1)
    values = block_values(
        _ordered(layer, weights), fmt, axis=1, tensor_largest=float(np.abs(weights).max())
    )
    values /= steps
    grid = float(1 << WEIGHT_BITS)
    result: Float64Array = np.rint(values * grid) / grid
    return result


def _ordered(layer: IntegerMatrixLayer, weights: Float64Array) -> Float64Array:
    """``weights`` in the order of the layer's channels."""
    order = layer.channel_order
    return weights if order is None else rows_in_order(weights, order)
