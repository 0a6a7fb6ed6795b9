"""The integer operation of each operation, by what its inputs and its output stand for."""

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import numpy as np

from golden import FixedPointScale, byte_table
from golden.attention import (
    EXPONENTIAL_MAX,
    MAX_EPSILON,
    MAX_WIDE_EPSILON,
    NORMALIZED_BITS,
    WIDE_MAX,
)
from golden.format import ACTIVATION_MAX
from networks import elementary
from networks.fixed_point import Float64Array
from networks.graph.attention import LayerNormalization, MaskedMean, MatrixProduct, Softmax
from networks.graph.elementwise import Affine, Function, Product, Quotient, Sum
from networks.graph.embedding import Embedding
from networks.graph.movement import Interpolate, Pad, Spread
from networks.graph.operations import AveragePool, Operation
from networks.quantization.operations import (
    Combine,
    Divide,
    Int64Array,
    IntegerAveragePool,
    IntegerInterpolate,
    IntegerMaskedMean,
    IntegerNormalization,
    IntegerOperation,
    IntegerSoftmax,
    LookUp,
    LookUpRow,
    Multiply,
    MultiplyMatrices,
    Quantization,
    Requantization,
    WideQuantization,
    WideRequantization,
)

MAX_BIAS = 1 << 30
"""Half of an int32; the other half is left to the products."""
TABLE_ROWS = 1024
"""Rows of an embedding that become bytes in one go."""
LARGEST_FACTOR = float((1 << 15) - 1)
"""A sum of 1 that is multiplied by more has left the range of bytes already."""


def integer_operation(
    operation: Operation, inputs: Sequence[Quantization], output: Quantization | None
) -> IntegerOperation:
    """``operation``, which has no weights, in integers; what only moves bytes as it is.

    ``output`` is None for a mean that makes the logits: these are its sums.
    """
    source = inputs[0]
    if isinstance(operation, AveragePool):
        return _average_pool(operation, source, output)
    assert output is not None
    match operation:
        case Affine():
            return _affine(operation, source, output)
        case Sum():
            return weighted_sum(inputs, output, operation.factors)
        case Product():
            return _product(operation, inputs, output)
        case Quotient():
            return _quotient(inputs, output)
        case Function():
            return _table(operation, source, output)
        case MatrixProduct():
            return _matrix_product(operation, inputs, output)
        case Softmax():
            return _softmax(source, output)
        case LayerNormalization():
            return _normalization(operation, source, output)
        case MaskedMean():
            return _masked_mean(source, output)
        case Embedding():
            return _rows(operation, output)
        case Interpolate():
            return IntegerInterpolate(operation)
        case Pad() | Spread():
            value = round(operation.value / output.step) + output.zero_point
            return replace(operation, value=min(max(value, 0), ACTIVATION_MAX))
    return cast(IntegerOperation, operation)


def weighted_sum(
    inputs: Sequence[Quantization], output: Quantization, weights: Sequence[float] = ()
) -> Combine:
    """The sum of bytes that stand for ``inputs``, each times its weight, in bytes of ``output``."""
    factors = [
        min(max(weight * source.step / output.step, -LARGEST_FACTOR), LARGEST_FACTOR)
        for source, weight in zip(inputs, weights or [1.0] * len(inputs), strict=True)
    ]
    total = sum(map(abs, factors))
    shift = FixedPointScale.nearest(max(map(abs, factors))).shift
    wide = any(isinstance(source, WideQuantization) for source in inputs)
    largest = WIDE_MAX + 1 if wide else ACTIVATION_MAX
    if total * 2.0**shift * largest > MAX_BIAS:  # of very many values, or wide ones
        shift = max(int(np.log2(MAX_BIAS / largest / total)), 0)
    multipliers = tuple(np.int32(round(factor * 2**shift)) for factor in factors)
    bias = -sum(
        int(multiplier) * source.zero_point
        for multiplier, source in zip(multipliers, inputs, strict=True)
    )
    return Combine(
        tuple(np.asarray(multiplier) for multiplier in multipliers),
        np.asarray(bias, np.int32),
        _shift_only(np.asarray(shift, np.int64), output),
    )


def _affine(operation: Affine, source: Quantization, output: Quantization) -> Combine:
    scales, offsets = np.broadcast_arrays(operation.scale, operation.offset)
    factors = scales * source.step / output.step
    factors = np.clip(factors, -LARGEST_FACTOR, LARGEST_FACTOR)
    offsets = offsets / output.step
    _, shifts = fixed_point(np.abs(factors))
    # The bias has to fit half of an int32, so its channel may get a coarser multiplier.
    room = np.floor(np.log2(MAX_BIAS / np.maximum(np.abs(offsets), 1)))
    shifts = np.clip(np.minimum(shifts, room), 0, None).astype(np.int64)
    scale = np.ldexp(1.0, shifts.astype(np.int32))
    multiplier = np.rint(factors * scale)
    bias = np.clip(np.rint(offsets * scale), -MAX_BIAS, MAX_BIAS) - multiplier * source.zero_point
    return Combine(
        (multiplier.astype(np.int32),),
        bias.astype(np.int32),
        _shift_only(shifts, output),
    )


def _product(operation: Product, inputs: Sequence[Quantization], output: Quantization) -> Multiply:
    x, y = inputs
    factors = np.asarray(operation.factor * x.step * y.step / output.step)
    requantization = Requantization(*fixed_point(factors), output.zero_point)
    return Multiply((x.zero_point, y.zero_point), requantization)


def _quotient(inputs: Sequence[Quantization], output: Quantization) -> Divide:
    x, y = inputs
    factor = min(x.step / y.step / output.step, LARGEST_FACTOR)
    scale = FixedPointScale.nearest(factor)
    zero_points = x.zero_point, y.zero_point
    return Divide(zero_points, scale.multiplier, scale.shift, output.zero_point)


def _matrix_product(
    operation: MatrixProduct, inputs: Sequence[Quantization], output: Quantization
) -> MultiplyMatrices:
    x, y = inputs
    factor = np.array(operation.scale * x.step * y.step / output.step)
    requantization = Requantization(*fixed_point(factor), output.zero_point)
    return MultiplyMatrices(x.zero_point, requantization)


def _softmax(source: Quantization, output: Quantization) -> IntegerSoftmax:
    powers = elementary.exp(np.arange(ACTIVATION_MAX + 1.0) * -source.step)
    exponentials = np.rint(EXPONENTIAL_MAX * powers).astype(np.uint16)
    scale = FixedPointScale.nearest(min(1 / output.step, LARGEST_FACTOR))
    return IntegerSoftmax(exponentials, scale.multiplier, scale.shift)


def _masked_mean(source: Quantization, output: Quantization) -> IntegerMaskedMean:
    scale = FixedPointScale.nearest(min(source.step / output.step, LARGEST_FACTOR))
    return IntegerMaskedMean(source.zero_point, scale.multiplier, scale.shift, output.zero_point)


def _rows(operation: Embedding, output: Quantization) -> LookUpRow:
    table = np.empty(operation.table.shape, np.uint8)
    for top in range(0, len(table), TABLE_ROWS):
        rows = operation.table[top : top + TABLE_ROWS].astype(np.float64)
        scaled = np.rint(rows / output.step) + output.zero_point
        table[top : top + TABLE_ROWS] = np.clip(scaled, 0, ACTIVATION_MAX)
    return LookUpRow(table)


def _normalization(
    operation: LayerNormalization, source: Quantization, output: Quantization
) -> IntegerNormalization:
    epsilon = operation.epsilon * (len(operation.scale) / source.step) ** 2
    scaled = _affine(
        Affine(operation.scale, operation.offset), Quantization(2.0**-NORMALIZED_BITS, 0), output
    )
    wide = isinstance(source, WideQuantization)
    most = MAX_WIDE_EPSILON if wide else MAX_EPSILON
    return IntegerNormalization(round(min(epsilon, most)), scaled, wide)


def _table(operation: Function, source: Quantization, output: Quantization) -> LookUp:
    channels = operation.expression.channels

    def values(x: Float64Array) -> Float64Array:
        if channels is None:
            return operation(x)
        return operation(np.repeat(x[:, np.newaxis], channels, axis=1)).T

    return LookUp(byte_table(values, source, output))


def _shift_only(shift: Int64Array, output: Quantization) -> Requantization | WideRequantization:
    return requantization(np.ones_like(shift), shift, output)


def requantization(
    multiplier: Int64Array, shift: Int64Array, output: Quantization
) -> Requantization | WideRequantization:
    """From sums to the integers of ``output``."""
    if isinstance(output, WideQuantization):
        return WideRequantization(multiplier, shift)
    return Requantization(multiplier, shift, output.zero_point)


def _average_pool(
    pool: AveragePool, source: Quantization, output: Quantization | None
) -> IntegerAveragePool:
    requantization = None
    if output is not None:
        factors = source.step / output.step / pool.divisors
        requantization = Requantization(*fixed_point(factors), output.zero_point)
    return IntegerAveragePool(pool, source.zero_point, requantization)


def fixed_point(factors: Float64Array) -> tuple[Int64Array, Int64Array]:
    """Multiplier and shift for each of the ``factors``, in their shape."""
    scales = [FixedPointScale.nearest(min(float(f), LARGEST_FACTOR)) for f in factors.flat]
    multiplier = np.array([scale.multiplier for scale in scales], np.int64)
    shift = np.array([scale.shift for scale in scales], np.int64)
    return multiplier.reshape(factors.shape), shift.reshape(factors.shape)
