"""The arithmetics that the products of an integer network can run in."""

from collections.abc import Callable
from functools import partial
from math import prod

import numpy as np
import numpy.typing as npt

import golden
from networks.quantization.operations import Bytes, Int32Array, IntegerMatrixLayer

Weights = npt.NDArray[np.int8]
Matmul = Callable[[Bytes, Weights], Int32Array]
"""The product (..., N) of bytes (..., K) and weights (K, N)."""

Arithmetic = Callable[[IntegerMatrixLayer, Bytes], Int32Array]
"""The products (..., N) of a layer for its input, in a new array, to which the bias is added."""

LOWERED_BYTES = 1 << 24
"""Rows that are lowered in one go, in bytes: few enough for a last-level cache."""
SHALLOW = 64
"""Groups with a K up to this are not worth a matrix product each."""


def exact(layer: IntegerMatrixLayer, x: Bytes) -> Int32Array:
    """All products in exact 8-bit integers: ``golden.exact_matmul``."""
    return _by_rows(layer, layer.operand(x), _exact_products)


def windowed(fmt: golden.SparqFormat) -> Arithmetic:
    """Products of windowed layers as ``golden.sparq_matmul`` in ``fmt``, of the others exact."""
    return partial(_windowed, fmt)


def windowed_2_4(fmt: golden.SparqFormat) -> Arithmetic:
    """Products of windowed layers as ``golden.sparq_matmul_2_4``, of the others exact."""
    return partial(_windowed_2_4, fmt)


def multiply(layer: IntegerMatrixLayer, x: Bytes, matmul: Matmul) -> Int32Array:
    """The products of a layer by ``matmul``, called for each group and some rows at a time."""
    return _by_rows(layer, layer.operand(x), partial(_group_by_group, matmul))


def matrices(layer: IntegerMatrixLayer, x: Bytes) -> list[tuple[Bytes, Weights]]:
    """The whole product of each group: all rows (M, K) of ``x``, and weights (K, N / groups)."""
    lowered = layer.lowering.lower(layer.operand(x), layer.fill)
    rows = lowered.reshape(-1, layer.groups, layer.depth)
    return [
        (np.ascontiguousarray(rows[:, group]), layer.weights[group])
        for group in range(layer.groups)
    ]


def _windowed(fmt: golden.SparqFormat, layer: IntegerMatrixLayer, x: Bytes) -> Int32Array:
    if not layer.windowed:
        return exact(layer, x)
    operand = layer.operand(x)
    if operand.shape[-1] // layer.groups % 2 == 0:
        # Pairs are channels of one pixel, so each is quantized once, not once for each patch.
        return _by_rows(layer, golden.sparq(operand, fmt), _exact_products)
    return _by_rows(layer, operand, lambda x, w: _exact_products(golden.sparq(x, fmt), w))


def _windowed_2_4(fmt: golden.SparqFormat, layer: IntegerMatrixLayer, x: Bytes) -> Int32Array:
    if not layer.windowed:
        return exact(layer, x)
    return multiply(layer, x, lambda x, w: golden.sparq_matmul_2_4(x, w, fmt))


def _by_rows(
    layer: IntegerMatrixLayer, operand: Bytes, products: Callable[[Bytes, Weights], Int32Array]
) -> Int32Array:
    """The ``products`` of lowered rows (..., groups, K) and all weights, some images at a time."""
    shape = layer.lowering.output_shape(operand.shape[1:], layer.width)
    per_image = prod(shape[:-1]) * layer.groups * layer.depth
    count = max(1, LOWERED_BYTES // per_image)
    parts = []
    for top in range(0, max(1, len(operand)), count):
        lowered = layer.lowering.lower(operand[top : top + count], layer.fill)
        parts.append(products(lowered, layer.weights).reshape(len(lowered), *shape))
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _group_by_group(matmul: Matmul, lowered: Bytes, weights: Weights) -> Int32Array:
    parts = [
        matmul(np.ascontiguousarray(lowered[..., group, :]), weights[group])
        for group in range(len(weights))
    ]
    return parts[0] if len(parts) == 1 else np.stack(parts, axis=-2)


def _exact_products(lowered: Bytes, weights: Weights) -> Int32Array:
    groups, depth, width = weights.shape
    if groups == 1 or depth > SHALLOW:
        return _group_by_group(golden.exact_matmul, lowered, weights)
    # Depthwise: a multiplication per element of the kernel, for all groups at once.
    total = np.zeros((*lowered.shape[:-1], width), np.int32)
    for k in range(depth):
        total += lowered[..., k, np.newaxis] * weights[:, k].astype(np.int32)
    return total
