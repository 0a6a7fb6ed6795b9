"""The arithmetics that the products of an integer network can run in."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from math import prod
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

import golden
from networks.fixed_point import Float64Array
from networks.graph.lowering import Array
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


def windowed(fmt: golden.SparqFormat, signed: golden.SparqFormat | None = None) -> Arithmetic:
    """Products of windowed layers as ``golden.sparq_matmul`` in ``fmt``, of the others exact.

    Those of layers whose input has a zero point run in the format ``signed``, of the bytes less it.
    """
    return CodedProducts(Windows(fmt, signed))


def of_machine(fmt: golden.SparqFormat | None) -> Arithmetic:
    """What a machine multiplies layers in: those that are windowed in its one format, if any."""
    return exact if fmt is None else windowed(fmt, fmt if fmt.signed else None)


def windowed_2_4(fmt: golden.SparqFormat, signed: golden.SparqFormat | None = None) -> Arithmetic:
    """Products of windowed layers as ``golden.sparq_matmul_2_4``, of the others exact.

    ``signed`` as in :func:`windowed`.
    """
    return SparseProducts(Windows(fmt, signed))


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


class Coding(Protocol):
    """What becomes of the activations of a layer that meet along K."""

    def span(self, layer: IntegerMatrixLayer) -> int:
        """How many neighbours along K are coded together."""

    def __call__(self, x: Bytes, layer: IntegerMatrixLayer) -> Array:
        """What is multiplied for the bytes ``x`` (..., K), ``layer.fill`` of which stands for 0.

        Integers of magnitudes up to 255; or float64, in units of :meth:`unit`.
        """

    def unit(self, layer: IntegerMatrixLayer) -> float:
        """What a 1 of the coded activations stands for, in steps of the bytes."""


@dataclass(frozen=True)
class Windows:
    """Windows in ``fmt``; of bytes with a zero point in ``signed``, less it, saturated."""

    fmt: golden.SparqFormat
    signed: golden.SparqFormat | None = None

    def format_of(self, layer: IntegerMatrixLayer) -> golden.SparqFormat:
        """The format for the activations of ``layer``."""
        if not layer.fill:
            return self.fmt
        if self.signed is None:
            raise ValueError(f"{layer.name}: a zero point of {layer.fill} needs a signed format")
        return self.signed

    def magnitudes(self, x: Bytes, layer: IntegerMatrixLayer) -> Bytes:
        """Those of the activations ``x`` of ``layer``, saturated."""
        values = saturated(x, self.format_of(layer), layer.fill).astype(np.int16)
        result: Bytes = np.abs(values - np.int16(layer.fill)).astype(np.uint8)
        return result

    def span(self, layer: IntegerMatrixLayer) -> int:
        """A group, or a pair."""
        return max(2, self.format_of(layer).group)

    def __call__(self, x: Bytes, layer: IntegerMatrixLayer) -> Array:
        """``golden.sparq`` along the last axis."""
        fmt = self.format_of(layer)
        return golden.sparq(saturated(x, fmt, layer.fill), fmt, zero_point=layer.fill)

    def unit(self, layer: IntegerMatrixLayer) -> float:
        """1: windows are integers."""
        del layer
        return 1.0


@dataclass(frozen=True)
class Whole:
    """Activations as they are, less the zero point."""

    def span(self, layer: IntegerMatrixLayer) -> int:
        """1: each on its own."""
        del layer
        return 1

    def __call__(self, x: Bytes, layer: IntegerMatrixLayer) -> Array:
        """The differences, int16."""
        return x.astype(np.int16) - np.int16(layer.fill)

    def unit(self, layer: IntegerMatrixLayer) -> float:
        """1: they are integers."""
        del layer
        return 1.0


def saturated(x: Bytes, fmt: golden.SparqFormat, zero_point: int) -> Bytes:
    """``x`` with magnitudes beyond ``zero_point`` that are at most the largest of ``fmt``."""
    low, high = max(0, zero_point - fmt.magnitude_max), min(255, zero_point + fmt.magnitude_max)
    return x if (low, high) == (0, 255) else np.clip(x, np.uint8(low), np.uint8(high))


@dataclass(frozen=True)
class CodedProducts:
    """Products of windowed layers of activations in a ``coding``; of the others exact.

    ``weights``, by layer: float64 (groups, K, N / groups), in place of its integer ones, in their
    steps. With them, or with a coding that is not of integers, products are sums in float64, each
    rounded to an integer. They are exact before where operands are multiples of a power of two that
    53 bits hold the sums in.
    """

    coding: Coding
    weights: Mapping[str, Float64Array] = field(default_factory=dict)

    def __call__(self, layer: IntegerMatrixLayer, x: Bytes) -> Int32Array:
        """The products, as if the zero point were in them: biases take it off."""
        own = self.weights.get(layer.name)
        if not layer.windowed and own is None:
            return exact(layer, x)
        coding = self.coding if layer.windowed else Whole()
        zero = layer.fill
        operand = layer.operand(x)
        weights: Array = layer.weights if own is None else own

        def products(lowered: Array, weights: Array) -> Int32Array:
            if lowered.dtype.kind in "iu" and own is None:
                return _exact_products(lowered, weights)
            return _real_products(lowered, weights, coding.unit(layer))

        if operand.shape[-1] // layer.groups % coding.span(layer) == 0:
            # Neighbours are channels of one pixel: each is coded once, not once for each patch.
            sums = _by_rows(layer, coding(operand, layer), products, 0, weights)
        else:
            sums = _by_rows(
                layer, operand, lambda x, w: products(coding(x, layer), w), zero, weights
            )
        return with_zero_point(layer, sums)


@dataclass(frozen=True)
class SparseProducts:
    """Products of windowed layers as ``golden.sparq_matmul_2_4``; of the others exact."""

    windows: Windows

    def __call__(self, layer: IntegerMatrixLayer, x: Bytes) -> Int32Array:
        """The products, as if the zero point were in them: biases take it off."""
        if not layer.windowed:
            return exact(layer, x)
        zero = layer.fill
        fmt = self.windows.format_of(layer)

        def matmul(x: Bytes, w: Weights) -> Int32Array:
            return golden.sparq_matmul_2_4(saturated(x, fmt, zero), w, fmt, zero_point=zero)

        return with_zero_point(layer, multiply(layer, x, matmul))


def with_zero_point(layer: IntegerMatrixLayer, products: Int32Array) -> Int32Array:
    """``products`` of bytes less their zero point as those of the bytes, in their place."""
    if layer.fill:
        sums = layer.weights.sum(axis=1, dtype=np.int32).reshape(-1)
        products += np.int32(layer.fill) * sums
    return products


def _by_rows(
    layer: IntegerMatrixLayer,
    operand: Array,
    products: Callable[[Array, Array], Int32Array],
    fill: int | None = None,
    weights: Array | None = None,
) -> Int32Array:
    """The ``products`` of lowered rows (..., groups, K) and all weights, some images at a time.

    Padding is ``fill``, the layer's where it is None; so are ``weights``.
    """
    fill = layer.fill if fill is None else fill
    weights = layer.weights if weights is None else weights
    shape = layer.lowering.output_shape(operand.shape[1:], layer.width)
    per_image = prod(shape[:-1]) * layer.groups * layer.depth * operand.itemsize
    count = max(1, LOWERED_BYTES // per_image)
    parts = []
    for top in range(0, max(1, len(operand)), count):
        lowered = layer.lowering.lower(operand[top : top + count], fill)
        parts.append(products(lowered, weights).reshape(len(lowered), *shape))
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _group_by_group(matmul: Callable[[Any, Any], Any], lowered: Array, weights: Array) -> Any:
    parts = [
        matmul(np.ascontiguousarray(lowered[..., group, :]), weights[group])
        for group in range(len(weights))
    ]
    return parts[0] if len(parts) == 1 else np.stack(parts, axis=-2)


def _exact_products(lowered: Array, weights: Weights) -> Int32Array:
    """Of bytes, or signed integers of magnitudes up to 255."""
    groups, depth, width = weights.shape
    if groups == 1 or depth > SHALLOW:
        matmul = partial(golden.exact_matmul, signed=lowered.dtype.kind == "i")
        result: Int32Array = _group_by_group(matmul, lowered, weights)
        return result
    # Depthwise: a multiplication per element of the kernel, for all groups at once.
    total = np.zeros((*lowered.shape[:-1], width), np.int32)
    for k in range(depth):
        total += lowered[..., k, np.newaxis] * weights[:, k].astype(np.int32)
    return total


def _real_products(lowered: Array, weights: Array, unit: float) -> Int32Array:
    """The nearest integers to the sums, of activations in steps of ``unit``."""
    values, factors = lowered.astype(np.float64), weights.astype(np.float64)
    sums = _group_by_group(np.matmul, values, factors) * unit
    result: Int32Array = np.rint(sums).astype(np.int32)
    return result
