"""The integer operation of each operation, by what its inputs and its output stand for."""

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import numpy as np

from golden import FixedPointScale, byte_table
from golden.attention import EXPONENTIAL_MAX, MAX_EPSILON, NORMALIZED_BITS
from golden.format import ACTIVATION_MAX
from networks import elementary
from networks.fixed_point import Float64Array
from networks.graph.attention import LayerNormalization, MatrixProduct, Softmax
from networks.graph.elementwise import Affine, Function, Product, Quotient, Sum
from networks.graph.movement import Interpolate, Pad, Spread
from networks.graph.operations import AveragePool, Operation
from networks.quantization.operations import (
    Combine,
    Divide,
    Int64Array,
    IntegerAveragePool,
    IntegerInterpolate,
    IntegerNormalization,
    IntegerOperation,
    IntegerSoftmax,
    LookUp,
    Multiply,
    MultiplyMatrices,
    Quantization,
    Requantization,
)

MAX_BIAS = 1 << 30
"""Half of an int32; the other half is left to the products."""
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
            return _product(inputs, output)
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
    if total * 2.0**shift * ACTIVATION_MAX > MAX_BIAS:  # of very many values
        shift = max(int(np.log2(MAX_BIAS / ACTIVATION_MAX / total)), 0)
    multipliers = tuple(np.int32(round(factor * 2**shift)) for factor in factors)
    bias = -sum(
        int(multiplier) * source.zero_point
        for multiplier, source in zip(multipliers, inputs, strict=True)
    )
    return Combine(
        tuple(np.asarray(multiplier) for multiplier in multipliers),
        np.asarray(bias, np.int32),
        _shift_only(np.asarray(shift, np.int64), output.zero_point),
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
        _shift_only(shifts, output.zero_point),
    )


def _product(inputs: Sequence[Quantization], output: Quantization) -> Multiply:
    x, y = inputs
    factor = np.array(x.step * y.step / output.step)
    requantization = Requantization(*fixed_point(factor), output.zero_point)
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


def _normalization(
    operation: LayerNormalization, source: Quantization, output: Quantization
) -> IntegerNormalization:
    epsilon = operation.epsilon * (len(operation.scale) / source.step) ** 2
    scaled = _affine(
        Affine(operation.scale, operation.offset), Quantization(2.0**-NORMALIZED_BITS, 0), output
    )
    return IntegerNormalization(round(min(epsilon, MAX_EPSILON)), scaled)


def _table(operation: Function, source: Quantization, output: Quantization) -> LookUp:
    channels = operation.expression.channels

    def values(x: Float64Array) -> Float64Array:
        if channels is None:
            return operation(x)
        return operation(np.repeat(x[:, np.newaxis], channels, axis=1)).T

    return LookUp(byte_table(values, source, output))


def _shift_only(shift: Int64Array, zero_point: int) -> Requantization:
    return Requantization(np.ones_like(shift), shift, zero_point)


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
