"""ONNX's pools, and its reductions over axes."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from networks.graph.elementwise import Affine, Function, Product, Sum
from networks.graph.expression import X, apply
from networks.graph.lowering import Patch
from networks.graph.operations import AveragePool, MaxPool
from networks.importer.context import Context, Value
from networks.importer.patches import pooling_patch


def max_pool(node: Context) -> Value:
    """MaxPool of images or lines."""
    x = node.image()
    return node.emit(MaxPool(pooling_patch(node, x)[0]), x)


def average_pool(node: Context) -> Value:
    """AveragePool of images or lines."""
    x = node.image()
    return node.emit(AveragePool(*pooling_patch(node, x)), x)


NEGATIVE = Affine(np.array(-1.0), np.array(0.0))
Pool = Callable[[Patch, tuple[int, int]], AveragePool | MaxPool]
"""A pool by its patch, and the rows and columns of its output."""


def _mean(patch: Patch, shape: tuple[int, int]) -> AveragePool:
    return AveragePool(patch, np.full((*shape, 1), math.prod(patch.kernel), np.float64))


def _sum(patch: Patch, shape: tuple[int, int]) -> AveragePool:
    return AveragePool(patch, np.ones((*shape, 1)))


def _maximum(patch: Patch, shape: tuple[int, int]) -> MaxPool:
    return MaxPool(patch)


def global_average_pool(node: Context) -> Value:
    """GlobalAveragePool: the mean over rows and columns."""
    return _reduced(node, node.image(), {0, 1}, True, _mean)


def global_max_pool(node: Context) -> Value:
    """GlobalMaxPool: the maximum over rows and columns."""
    return _reduced(node, node.image(), {0, 1}, True, _maximum)


def reduce_mean(node: Context) -> Value:
    """ReduceMean over axes of an image."""
    return _reduce(node, _mean)


def reduce_sum(node: Context) -> Value:
    """ReduceSum, likewise."""
    return _reduce(node, _sum)


def reduce_max(node: Context) -> Value:
    """ReduceMax, likewise."""
    return _reduce(node, _maximum)


def reduce_min(node: Context) -> Value:
    """ReduceMin: the negative of the largest of negatives."""
    negatives = node.emit(NEGATIVE, node.value(), part="/negatives")
    outputs = [f"{node.outputs[0]}/largest"]
    inputs = [negatives, *node.inputs[1:]]
    largest = reduce_max(replace(node, name=f"{node.name}/largest", outputs=outputs, inputs=inputs))
    return node.emit(NEGATIVE, largest)


def reduce_sum_of_squares(node: Context) -> Value:
    """ReduceSumSquare, likewise."""
    squares = node.emit(Function(apply("power", X, 2.0)), node.value(), part="/squares")
    return _reduce(replace(node, inputs=[squares, *node.inputs[1:]]), _sum)


def reduce_norm(node: Context) -> Value:
    """ReduceL2: the root of the sum of squares."""
    outputs = [f"{node.outputs[0]}/sum"]
    total = reduce_sum_of_squares(replace(node, name=f"{node.name}/sum", outputs=outputs))
    return node.emit(Function(apply("sqrt", X)), total)


def local_response_normalization(node: Context) -> Value:
    """LRN: over a power of the mean of squares of neighbouring channels, padded with zeros."""
    x, size = node.image(), node.attribute("size", 0)
    rows, columns, channels = x.stored
    if not 1 <= size <= channels:
        raise ValueError(f"the size must be from 1 to {channels}, not {size}")
    alpha, beta = node.attribute("alpha", 1e-4), node.attribute("beta", 0.75)
    squares = node.emit(Function(apply("power", X, 2.0)), x, part="/squares")
    axes, pixels = tuple(range(3)), (rows * columns, channels, 1)
    lines = node.rearrange(squares, axes, pixels, axes, axes, "/lines")
    patch = Patch((1, size), padding=(0, (size - 1) // 2, 0, size // 2))
    mean = node.emit(AveragePool(patch, np.full((1, 1, 1), float(size))), lines, part="/mean")
    back = node.rearrange(mean, axes, x.stored, axes, x.order, "/images")
    inside = apply("add", apply("multiply", X, alpha), node.attribute("bias", 1.0))
    factor = node.emit(Function(apply("power", inside, -beta)), back, part="/factor")
    return node.emit(Product(), x, factor)


def logarithm_of_softmax(node: Context, x: Value, clip: tuple[float, float] | None = None) -> Value:
    """LogSoftmax along the last stored axis, within limits, of operations that integers have.

    That is ``d - log(sum(exp(d)))`` with ``d = x - max(x)``.
    """
    last = {len(x.stored) - 1}

    def reduced(value: Value, pool: Pool, part: str) -> Value:
        inner = replace(node, name=node.name + part, outputs=[node.outputs[0] + part])
        over = _reduced(inner, value, last, True, pool)
        return node.arranged(over, x.order, len(x.stored), f"{part}/order")

    below = node.emit(Sum((1.0, -1.0)), x, reduced(x, _maximum, "/largest"), part="/below")
    powers = node.emit(Function(apply("exp", X)), below, part="/powers")
    total = reduced(powers, _sum, "/total")
    logarithm = node.emit(Function(apply("log", X)), total, part="/logarithm")
    return node.emit(Sum((1.0, -1.0)), below, logarithm, clip=clip)


def _reduce(node: Context, pool: Pool) -> Value:
    axes, x = node.integers(1, "axes") or [], node.value()
    if not axes and node.attribute("noop_with_empty_axes", 0):
        return x
    reduced = {node.axis(axis, x) for axis in axes or range(x.rank)}
    return _reduced(node, x, reduced, node.attribute("keepdims", 1) != 0, pool)


def _reduced(node: Context, x: Value, axes: set[int], keep: bool, pool: Pool) -> Value:
    """``x`` without the stored ``axes``, or with them of size 1."""
    kept = [axis for axis in x.order if axis not in axes]
    shape = [x.stored[axis] for axis in kept]
    if keep:
        shape = [1 if axis in axes else x.stored[axis] for axis in x.order]
    if len(x.stored) == 3 and axes <= {0, 1}:
        height, width = (x.stored[axis] if axis in axes else 1 for axis in (0, 1))
        rows, columns = (1 if axis in axes else x.stored[axis] for axis in (0, 1))
        operation = pool(Patch((height, width)), (rows, columns))
        if keep:
            return node.emit(operation, x)
        return node.reshaped(node.emit(operation, x, part="/pool"), (1, *shape), 1)
    # The reduced axes as rows of one column, all others as channels.
    count = math.prod(x.stored[axis] for axis in axes)
    extra = [axis for axis in range(len(x.stored)) if axis not in x.order and axis not in axes]
    before = (*extra, *sorted(axes), *kept)
    rows_of = (count, 1, math.prod(x.stored) // count)
    lines = node.rearrange(x, before, rows_of, (0, 1, 2), (0, 1, 2), "/rows")
    pooled = node.emit(pool(Patch((count, 1)), (1, 1)), lines, part="/pool")
    return node.reshaped(pooled, (1, *shape), 1)
