"""A converter for each ONNX operator, from a node in ONNX's terms to nodes of the graph."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx

from networks.fixed_point import Float64Array
from networks.graph.lowering import Flat, Patch, Shape
from networks.graph.operations import (
    Affine,
    AveragePool,
    BatchNormalization,
    Concat,
    MatrixLayer,
    MaxPool,
    Pad,
    Rearrange,
    Slice,
    Sum,
)
from networks.importer.context import Context, Value, to_graph, to_onnx
from networks.importer.model_file import FLOATS
from networks.importer.patches import patch, pooling_patch

_BEYOND_ANY_AXIS = 2**31 - 1
"""Ends of slices from here on mean the end of the axis."""


def convolution(node: Context) -> Value:
    """Conv of images, with weights (N, C / groups, rows, columns)."""
    x, weights, groups = node.value(rank=4), node.weights(1), node.attribute("group", 1)
    if weights.ndim != 4 or not weights.size:
        raise ValueError(f"weights must have four dimensions, not the shape {weights.shape}")
    width, depth, rows, columns = weights.shape
    channels = x.stored[-1]
    if groups < 1 or width % groups or depth * groups != channels:
        raise ValueError(
            f"weights of the shape {weights.shape}, groups {groups}, do not fit {channels} channels"
        )
    if node.sizes("kernel_shape", (rows, columns), 1) != (rows, columns):
        raise ValueError(f"kernel_shape must be that of the weights, ({rows}, {columns})")
    bias = node.per_channel(2, width) if node.has(2) else np.zeros(width)
    matrices = weights.reshape(groups, width // groups, depth, rows, columns)
    matrices = matrices.transpose(0, 3, 4, 2, 1).reshape(groups, rows * columns * depth, -1)
    return node.emit(MatrixLayer(patch(node, x, (rows, columns), groups), matrices, bias), x)


def gemm(node: Context) -> Value:
    """Gemm: a fully connected layer, its bias a constant."""
    x, weights = node.value(rank=2), _matrix(node, 1)
    if node.attribute("transA", 0):
        raise ValueError("transA must be 0")
    if node.attribute("transB", 0):
        weights = weights.T
    width = weights.shape[1]
    bias = np.zeros(width)
    if node.has(2):
        offset = node.weights(2)
        if offset.shape not in ((), (1,), (1, 1), (width,), (1, width)):
            raise ValueError(f"a bias of the shape {offset.shape} does not fit {width} outputs")
        bias = bias + node.attribute("beta", 1.0) * offset.ravel()
    return _fully_connected(node, x, node.attribute("alpha", 1.0) * weights, bias)


def matrix_product(node: Context) -> Value:
    """MatMul with a constant: a fully connected layer without a bias."""
    x, weights = node.value(), _matrix(node, 1)
    if len(x.stored) not in (1, 2):
        raise ValueError(f"input 0 must have rank 2 or 3, not {len(x.stored) + 1}")
    return _fully_connected(node, x, weights, np.zeros(weights.shape[1]))


def _matrix(node: Context, index: int) -> Float64Array:
    weights = node.weights(index)
    if weights.ndim != 2 or not weights.size:
        raise ValueError(f"input {index} must be a matrix, not have the shape {weights.shape}")
    return weights


def _fully_connected(node: Context, x: Value, weights: Float64Array, bias: Float64Array) -> Value:
    return node.emit(MatrixLayer(Flat(), np.ascontiguousarray(weights)[np.newaxis], bias), x)


def batch_normalization(node: Context) -> Value:
    """BatchNormalization with its trained mean and variance."""
    if node.attribute("training_mode", 0):
        raise ValueError("the model must be exported for inference, not for training")
    x = node.value()
    if len(x.stored) == 2:
        raise ValueError("input 0 must have rank 2 or 4, not 3")
    scale, offset, mean, variance = (node.per_channel(i, x.stored[-1]) for i in range(1, 5))
    epsilon = node.attribute("epsilon", 1e-5)
    if not (variance + epsilon > 0).all():
        raise ValueError("variances must be positive")
    deviation = np.sqrt(variance + epsilon)
    factor = scale / deviation
    result = node.emit(Affine(factor, offset - mean * factor), x)
    node.batch_norms[result.name] = BatchNormalization(scale, offset, epsilon, deviation)
    return result


def relu(node: Context) -> Value:
    """Relu: limits of 0 and infinity."""
    return node.emit(Sum(), node.value(), clip=(0.0, math.inf))


def clip(node: Context) -> Value:
    """Clip, to limits that contain 0."""
    low, high = node.scalar(1, -math.inf), node.scalar(2, math.inf)
    if not low <= 0 <= high:
        raise ValueError(f"the limits must contain 0, not be {low} and {high}")
    return node.emit(Sum(), node.value(), clip=(low, high))


def add(node: Context) -> Value:
    """Add of two values, or of a value and a constant per channel."""
    for x, constant in ((0, 1), (1, 0)):
        if isinstance(node.inputs[constant], np.ndarray):
            return _add_constant(node, node.value(x), node.weights(constant))
    first, second = node.value(0), node.value(1)
    if first.stored != second.stored:
        raise ValueError(f"values to add must have one shape, not {first.shape}, {second.shape}")
    return node.emit(Sum(), first, second)


def _add_constant(node: Context, x: Value, constant: Float64Array) -> Value:
    rank, channels = len(x.stored) + 1, x.stored[-1]
    # Broadcasting aligns shapes at the right; the channels of an image are its second axis.
    per_channel = (channels, 1, 1) if rank == 4 else (channels,)
    aligned = constant.shape[constant.ndim - len(per_channel) :]
    leading = constant.shape[: max(constant.ndim - len(per_channel), 0)]
    if (
        constant.ndim > rank
        or constant.size not in (1, channels)
        or (constant.size > 1 and (aligned != per_channel or set(leading) - {1}))
    ):
        raise ValueError(
            f"a constant of the shape {constant.shape} is not one per channel, of {channels}"
        )
    offset = np.broadcast_to(constant.ravel(), (channels,))
    return node.emit(Affine(np.ones(channels), offset), x)


def concat(node: Context) -> Value:
    """Concat along any axis of an image."""
    values = [node.value(index) for index in range(len(node.inputs))]
    if "axis" not in node.attributes:
        raise ValueError("attribute axis is missing")
    axis = node.axis(node.attribute("axis", 1), len(values[0].stored) + 1)
    return values[0] if len(values) == 1 else node.emit(Concat(axis + 1), *values)


def max_pool(node: Context) -> Value:
    """MaxPool of images."""
    x = node.value(rank=4)
    return node.emit(MaxPool(pooling_patch(node, x)[0]), x)


def average_pool(node: Context) -> Value:
    """AveragePool of images."""
    x = node.value(rank=4)
    return node.emit(AveragePool(*pooling_patch(node, x)), x)


def global_average_pool(node: Context) -> Value:
    """GlobalAveragePool: the mean over rows and columns."""
    return _mean(node, node.value(rank=4), {0, 1}, keep=True)


def reduce_mean(node: Context) -> Value:
    """ReduceMean over rows, columns or both."""
    axes = node.integers(1, "axes") or []
    if not axes and node.attribute("noop_with_empty_axes", 0):
        return node.value()
    x = node.value(rank=4)
    stored = {node.axis(axis, 4) for axis in axes}
    if not stored or 2 in stored:
        raise ValueError(f"the mean must be over rows or columns, not over the axes {axes}")
    return _mean(node, x, stored, keep=node.attribute("keepdims", 1) != 0)


def _mean(node: Context, x: Value, axes: set[int], keep: bool) -> Value:
    height, width = (x.stored[axis] if axis in axes else 1 for axis in (0, 1))
    rows, columns = (1 if axis in axes else x.stored[axis] for axis in (0, 1))
    mean = AveragePool(
        Patch((height, width)), np.full((rows, columns, 1), height * width, np.float64)
    )
    if keep:
        return node.emit(mean, x)
    pooled = node.emit(mean, x, part="/mean")
    kept = [size for axis, size in enumerate(pooled.shape) if to_onnx(3)[axis] not in axes]
    return _reshape(node, pooled, (1, *kept), 1)


def flatten(node: Context) -> Value:
    """Flatten to one axis beside the batch."""
    x = node.value()
    rank = len(x.stored) + 1
    axis = node.attribute("axis", 1)
    if axis not in (1, 1 - rank):
        raise ValueError("must keep the batch axis")
    return _reshape(node, x, (1, math.prod(x.stored)), 1)


def reshape(node: Context) -> Value:
    """Reshape, 0 and -1 in the new shape included."""
    x, batch = node.value(), node.batch or 1
    old, new = (batch, *x.shape), node.integers(1, "shape") or []
    if not node.attribute("allowzero", 0):
        new = [old[axis] if size == 0 else size for axis, size in enumerate(new)]
    if new.count(-1) == 1:
        known = -math.prod(new)
        if known < 1 or math.prod(old) % known:
            raise ValueError(f"the shape {old} cannot become {tuple(new)}")
        new[new.index(-1)] = math.prod(old) // known
    if math.prod(new) != math.prod(old) or min(new, default=1) < 1:
        raise ValueError(f"the shape {old} cannot become {tuple(new)}")
    return _reshape(node, x, tuple(new), batch)


def squeeze(node: Context) -> Value:
    """Squeeze of some axes, or of all of size 1."""
    x, batch = node.value(), node.batch or 1
    old = (batch, *x.shape)
    axes = node.integers(1, "axes")
    if axes is None:
        axes = [axis for axis, size in enumerate(old) if size == 1]
    dropped = {node.axis(axis, len(old)) for axis in axes}
    if any(x.stored[axis] != 1 for axis in dropped):
        raise ValueError(f"the axes {axes} of the shape {old} are not all of size 1")
    kept = [size for axis, size in enumerate(x.shape) if to_onnx(len(x.shape))[axis] not in dropped]
    return _reshape(node, x, (batch, *kept), batch)


def unsqueeze(node: Context) -> Value:
    """Unsqueeze: new axes of size 1."""
    x, axes = node.value(), node.integers(1, "axes") or []
    rank = len(x.stored) + 1 + len(axes)
    if any(not -rank <= axis < rank for axis in axes):
        raise ValueError(f"there is no axis for each of {axes} in a value of rank {rank}")
    added = {axis % rank for axis in axes}
    if 0 in added or len(added) != len(axes):
        raise ValueError("must keep the batch axis")
    sizes = iter((1, *x.shape))
    new = tuple(1 if axis in added else next(sizes) for axis in range(rank))
    return _reshape(node, x, new, 1)


def transpose(node: Context) -> Value:
    """Transpose of an image's axes."""
    x = node.value()
    rank = len(x.stored) + 1
    order = node.integers(len(node.inputs), "perm") or list(range(rank))[::-1]
    if sorted(order) != list(range(rank)):
        raise ValueError(f"perm must order {rank} axes, not be {order}")
    if order[0] != 0:
        raise ValueError("must keep the batch axis")
    stored = tuple(node.axis(axis, rank) for axis in order[1:])
    return _rearrange(node, x, stored, tuple(x.stored[axis] for axis in stored))


def _reshape(node: Context, x: Value, new: Shape, batch: int) -> Value:
    """``x`` in the shape ``new``, in ONNX's order and with the batch."""
    if not new or new[0] != batch:
        raise ValueError("must keep the batch axis")
    if new[1:] == x.shape:
        return x
    return _rearrange(node, x, to_onnx(len(x.stored)), new[1:])


def _rearrange(node: Context, x: Value, before: tuple[int, ...], shape: Shape) -> Value:
    """``x`` with its axes in the order ``before``, reshaped, and stored channels-last."""
    moved = [axis for axis in before if x.stored[axis] > 1]
    if moved == sorted(moved):  # only axes of size 1 move
        before = tuple(range(len(x.stored)))
    after = to_graph(len(shape))
    return node.emit(Rearrange(before, shape, after), x)


def slice_(node: Context) -> Value:
    """Slice along axes of an image, with any steps."""
    x = node.value()
    rank = len(x.stored) + 1
    starts, ends = node.integers(1, "starts"), node.integers(2, "ends")
    if starts is None or ends is None:
        raise ValueError("starts and ends are missing")
    given = node.integers(3, "axes")
    axes = list(range(len(starts))) if given is None else given
    steps = node.integers(4, "steps") or [1] * len(starts)
    slices = [slice(None)] * len(x.stored)
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        if axis in (0, -rank) and _all_images(node, slice(start, end, step)):
            continue
        stored = node.axis(axis, rank)
        first, stop, step = slice(start, end, step).indices(x.stored[stored])
        # An end before the first position has no number in Python.
        slices[stored] = slice(first, stop if stop >= 0 else None, step)
    return node.emit(Slice(tuple(slices)), x)


def _all_images(node: Context, part: slice) -> bool:
    most = range(_BEYOND_ANY_AXIS)
    return most[part] == most or (
        node.batch is not None and range(node.batch)[part] == range(node.batch)
    )


def pad(node: Context) -> Value:
    """Pad of an image's axes with a constant, a reflection or the edge."""
    x = node.value()
    rank = len(x.stored) + 1
    pads, given = node.integers(1, "pads") or [], node.integers(3, "axes")
    axes = list(range(rank)) if given is None else given
    mode = node.attribute("mode", "constant")
    if mode not in ("constant", "reflect", "edge"):
        raise ValueError(f"the mode {mode!r} is not supported")
    fill = node.scalar(2, 0.0)
    if not math.isfinite(fill):
        raise ValueError(f"padding must be finite, not {fill}")
    if len(pads) != 2 * len(axes) or min(pads, default=0) < 0:
        raise ValueError(f"pads must be two sizes of at least 0 for each axis, not {pads}")
    amounts = [(0, 0)] * len(x.stored)
    for axis, before, after in zip(axes, pads, pads[len(axes) :], strict=False):
        if axis in (0, -rank) and before == after == 0:
            continue
        stored = node.axis(axis, rank)
        if mode == "reflect" and max(before, after) >= x.stored[stored]:
            raise ValueError(f"{x.stored[stored]} positions are too few to reflect in {pads}")
        amounts[stored] = before, after
    return node.emit(Pad(tuple(amounts), mode, fill), x)


def softmax(node: Context) -> Value:
    """Softmax or its logarithm at the end of a model: the ranking is the same without it."""
    x = node.value()
    node.axis(node.attribute("axis", 1 if node.opset < 13 else -1), len(x.stored) + 1)
    return Value(x.name, x.stored, ranking=True)


def dropout(node: Context) -> Value:
    """Dropout, which does nothing in inference."""
    if node.has(2) and node.constant(2).any():
        raise ValueError("the model must be exported for inference, not for training")
    return identity(node)


def cast(node: Context) -> Value:
    """Cast from floats to floats: all are computed alike."""
    to = node.attribute("to", 0)
    if to not in FLOATS:
        raise ValueError(f"a cast to {onnx.TensorProto.DataType.Name(to)} is not supported")
    return identity(node)


def identity(node: Context) -> Value:
    """The input as it is; it may follow a softmax."""
    value: Any = node.inputs[0]
    return value if isinstance(value, Value) else node.value()


OPERATORS: dict[str, Callable[[Context], Value]] = {
    "Add": add,
    "AveragePool": average_pool,
    "BatchNormalization": batch_normalization,
    "Cast": cast,
    "Clip": clip,
    "Concat": concat,
    "Conv": convolution,
    "Dropout": dropout,
    "Flatten": flatten,
    "Gemm": gemm,
    "GlobalAveragePool": global_average_pool,
    "Identity": identity,
    "LogSoftmax": softmax,
    "MatMul": matrix_product,
    "MaxPool": max_pool,
    "Pad": pad,
    "ReduceMean": reduce_mean,
    "Relu": relu,
    "Reshape": reshape,
    "Slice": slice_,
    "Softmax": softmax,
    "Squeeze": squeeze,
    "Transpose": transpose,
    "Unsqueeze": unsqueeze,
}
"""The operators that may depend on the image."""
