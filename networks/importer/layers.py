"""ONNX's operators that multiply with weights, and normalizations."""

import math
from dataclasses import replace

import numpy as np

from networks.fixed_point import Float64Array
from networks.graph.attention import LayerNormalization, MatrixProduct, Softmax
from networks.graph.elementwise import Affine
from networks.graph.lowering import Flat, Pair, Patch
from networks.graph.movement import Slice, Spread
from networks.graph.operations import BatchNormalization, MatrixLayer
from networks.importer.context import Context, Value, channels_last
from networks.importer.model_file import MOST_ELEMENTS
from networks.importer.patches import padding, pair, patch


def convolution(node: Context) -> Value:
    """Conv of images or lines, with weights (N, C / groups, rows[, columns])."""
    x = node.image()
    weights, groups = _kernels(node, x), node.attribute("group", 1)
    width, depth, *kernel = weights.shape
    channels = x.stored[-1]
    if groups < 1 or width % groups or depth * groups != channels:
        raise ValueError(
            f"weights of the shape {node.weights(1).shape}, groups {groups}, do not fit "
            f"{channels} channels"
        )
    bias = node.per_channel(2, width) if node.has(2) else np.zeros(width)
    layer = MatrixLayer(patch(node, x, _pair(kernel), groups), _matrices(weights, groups), bias)
    return node.emit(layer, x)


def transposed_convolution(node: Context) -> Value:
    """ConvTranspose: a convolution of an image whose pixels are spread, its kernel turned."""
    x = node.image()
    weights, groups = _kernels(node, x), node.attribute("group", 1)
    channels, each, *sizes = weights.shape
    if groups < 1 or channels % groups or channels != x.stored[-1]:
        raise ValueError(
            f"weights of the shape {node.weights(1).shape}, groups {groups}, do not fit "
            f"{x.stored[-1]} channels"
        )
    width, kernel = each * groups, _pair(sizes)
    bias = node.per_channel(2, width) if node.has(2) else np.zeros(width)
    turned = weights[:, :, ::-1, ::-1].reshape(groups, channels // groups, each, *kernel)
    turned = turned.swapaxes(1, 2).reshape(width, channels // groups, *kernel)
    strides, dilations = (pair(node, x, name, 1) for name in ("strides", "dilations"))
    before, after = _transposed_padding(node, x, kernel, strides, dilations)
    rows, columns = (
        (size - 1) * stride + 1 for size, stride in zip(x.stored, strides, strict=False)
    )
    most = (rows + sum(map(abs, (before[0], after[0])))) * (
        columns + sum(map(abs, (before[1], after[1])))
    )
    if most * channels > MOST_ELEMENTS:
        raise ValueError(f"strides of {strides} are too large")
    spread = x if strides == (1, 1) else node.emit(Spread(strides), x, part="/spread")
    if min(*before, *after) < 0:  # what is padded by less than nothing is cut off
        parts = tuple(
            slice(max(-first, 0), size - max(-last, 0))
            for first, last, size in zip(before, after, (rows, columns), strict=True)
        )
        spread = node.emit(Slice((*parts, slice(None))), spread, part="/cut")
    pads = tuple(max(amount, 0) for amount in (*before, *after))
    lowering = Patch(kernel, (1, 1), (pads[0], pads[1], pads[2], pads[3]), dilations, groups)
    return node.emit(MatrixLayer(lowering, _matrices(turned, groups), bias), spread)


def _transposed_padding(
    node: Context, x: Value, kernel: Pair, strides: Pair, dilations: Pair
) -> tuple[Pair, Pair]:
    """Padding before and after the spread image, by axis; negative where it is cut."""
    extents = [(size - 1) * step + 1 for size, step in zip(kernel, dilations, strict=True)]
    extra = pair(node, x, "output_padding", 0, 0)
    pads = padding(node, x)
    auto = node.attribute("auto_pad", "NOTSET")
    shape = node.integers(len(node.inputs), "output_shape")
    if auto in ("SAME_UPPER", "SAME_LOWER") and shape is None:
        shape = [size * stride for size, stride in zip(x.stored, strides, strict=False)]
    elif auto not in ("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"):
        raise ValueError(f"auto_pad {auto!r} is unknown")
    begin, end = [pads[0], pads[1]], [pads[2], pads[3]]
    if shape is not None:
        shape = [*shape[-(x.rank - 2) :], *[1] * (4 - x.rank)]
        for axis, size in enumerate(shape):
            total = strides[axis] * (x.stored[axis] - 1) + extra[axis] + extents[axis] - size
            half = max(total, 0) // 2  # what is missing to a larger output lies at its end
            begin[axis] = half if auto == "SAME_UPPER" else max(total, 0) - half
            end[axis] = total - begin[axis]
    before = [extent - 1 - amount for extent, amount in zip(extents, begin, strict=True)]
    after = [
        extent - 1 - amount + more for extent, amount, more in zip(extents, end, extra, strict=True)
    ]
    return _pair(before), _pair(after)


def _pair(numbers: list[int]) -> Pair:
    return numbers[0], numbers[1]


def _kernels(node: Context, x: Value) -> Float64Array:
    """The weights of a convolution, those of lines with a last axis of one column."""
    weights = node.weights(1)
    if weights.ndim != x.rank or not weights.size:
        raise ValueError(f"weights must have {x.rank} dimensions, not the shape {weights.shape}")
    kernel = weights.shape[2:]
    if node.sizes("kernel_shape", kernel, 1) != kernel:
        shown = ", ".join(map(str, kernel))
        raise ValueError(f"kernel_shape must be that of the weights, ({shown})")
    return weights.reshape(*weights.shape, *(1,) * (4 - x.rank))


def _matrices(weights: Float64Array, groups: int) -> Float64Array:
    """Weights (N, C / groups, rows, columns) as (groups, K, N / groups)."""
    width, depth, rows, columns = weights.shape
    matrices = weights.reshape(groups, width // groups, depth, rows, columns)
    return matrices.transpose(0, 3, 4, 2, 1).reshape(groups, rows * columns * depth, -1)


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
    """MatMul of two values, or with a constant: a fully connected layer without a bias."""
    if isinstance(node.inputs[0], np.ndarray):
        x, weights = node.value(1), _matrix(node, 0).T
        if x.rank < 3:
            raise ValueError(f"input 1 must have rank 3 or more, not {x.rank}")
        turned = _fully_connected(node, _turned(x), weights, np.zeros(weights.shape[1]))
        return _turned(turned)
    if not isinstance(node.inputs[1], np.ndarray):
        factors = [node.value(index) for index in (0, 1)]
        if factors[0].rank != factors[1].rank or factors[0].rank < 3:
            shown = ", ".join(str(value.shape) for value in factors)
            raise ValueError(f"matrices of the shapes {shown} do not fit each other")
        first, second = (
            node.arranged(value, tuple(range(len(value.order))), part=f"/input{index}")
            for index, value in enumerate(factors)
        )
        return node.emit(MatrixProduct(), first, second)
    x, weights = node.value(), _matrix(node, 1)
    return _fully_connected(node, x, weights, np.zeros(weights.shape[1]))


def _turned(x: Value) -> Value:
    """``x`` with its last two axes exchanged."""
    return replace(x, order=(*x.order[:-2], x.order[-1], x.order[-2]))


def _matrix(node: Context, index: int) -> Float64Array:
    weights = node.weights(index)
    if weights.ndim < 2 or not weights.size or math.prod(weights.shape[:-2]) != 1:
        raise ValueError(f"input {index} must be a matrix, not have the shape {weights.shape}")
    return weights.reshape(weights.shape[-2:])


def _fully_connected(node: Context, x: Value, weights: Float64Array, bias: Float64Array) -> Value:
    if x.order[-1] != len(x.stored) - 1:
        x = node.arranged(x, tuple(range(len(x.order))))
    return node.emit(MatrixLayer(Flat(), np.ascontiguousarray(weights)[np.newaxis], bias), x)


def batch_normalization(node: Context) -> Value:
    """BatchNormalization with its trained mean and variance."""
    if node.attribute("training_mode", 0):
        raise ValueError("the model must be exported for inference, not for training")
    x = node.value()
    if x.rank < 2:
        raise ValueError(f"input 0 must have rank 2 or more, not {x.rank}")
    if x.order[0] != len(x.stored) - 1:
        x = node.arranged(x, channels_last(len(x.order)))
    scale, offset, mean, variance = (node.per_channel(i, x.stored[-1]) for i in range(1, 5))
    epsilon = node.attribute("epsilon", 1e-5)
    if not (variance + epsilon > 0).all():
        raise ValueError("variances must be positive")
    deviation = np.sqrt(variance + epsilon)
    factor = scale / deviation
    result = node.emit(Affine(factor, offset - mean * factor), x)
    node.batch_norms[result.name] = BatchNormalization(scale, offset, epsilon, deviation)
    return result


def layer_normalization(node: Context) -> Value:
    """LayerNormalization along the last axis, or all axes from one on."""
    x, given = node.value(), node.attribute("axis", -1)
    axis = node.axis(given, x)
    first = given % x.rank - 1
    features = x.shape[first:]
    constants = [
        node.of_shape(index, features).ravel() if node.has(index) else None for index in (1, 2)
    ]
    epsilon = node.attribute("epsilon", 1e-5)
    if len(features) == 1:
        return normalized(node, x, axis, epsilon, *constants)
    flat = node.reshaped(x, (1, *x.shape[:first], math.prod(features)), 1, part="/flat")
    inner = replace(node, name=f"{node.name}/lines", outputs=[f"{node.outputs[0]}/lines"])
    lines = normalized(inner, flat, flat.order[-1], epsilon, *constants)
    return node.reshaped(lines, (1, *x.shape), 1)


def normalized(
    node: Context,
    x: Value,
    axis: int,
    epsilon: float,
    scale: Float64Array | None = None,
    offset: Float64Array | None = None,
) -> Value:
    """``x`` normalized along the stored ``axis``."""
    if not 0 <= epsilon < math.inf:
        raise ValueError(f"epsilon must be at least 0, not {epsilon}")
    x = _with_last(node, x, axis)
    features = x.stored[-1]
    scale = np.ones(features) if scale is None else scale
    offset = np.zeros(features) if offset is None else offset
    return node.emit(LayerNormalization(scale, offset, epsilon), x)


def instance_normalization(node: Context) -> Value:
    """InstanceNormalization: of the pixels of each channel."""
    x = node.value()
    if x.rank < 3:
        raise ValueError(f"input 0 must have rank 3 or more, not {x.rank}")
    channels, pixels = x.shape[0], math.prod(x.shape[1:])
    scale, offset = (node.per_channel(index, channels) for index in (1, 2))
    flat = node.reshaped(x, (1, channels, pixels), 1, part="/pixels")
    lines = node.arranged(flat, (0, 1), part="/lines")
    epsilon = node.attribute("epsilon", 1e-5)
    if epsilon < 0:
        raise ValueError(f"epsilon must be at least 0, not {epsilon}")
    norm = LayerNormalization(np.ones(pixels), np.zeros(pixels), epsilon)
    back = node.reshaped(node.emit(norm, lines, part="/norm"), (1, *x.shape), 1, part="/images")
    back = node.arranged(back, channels_last(len(back.order)), part="/channels")
    return node.emit(Affine(scale, offset), back)


def softmax(node: Context) -> Value:
    """Softmax along one axis; of old, over all axes from one on."""
    return _softmax(node, False)


def log_softmax(node: Context) -> Value:
    """LogSoftmax, likewise."""
    return _softmax(node, True)


def _softmax(node: Context, logarithm: bool) -> Value:
    x = node.value()
    given = node.attribute("axis", 1 if node.opset < 13 else -1)
    axis = node.axis(given, x)
    if node.opset < 13 and math.prod(x.shape[given % x.rank :]) > 1:
        if given % x.rank != 1:
            raise ValueError(f"before operator set 13 the axis must be the last one, not {given}")
        flat = node.reshaped(x, (1, math.prod(x.shape)), 1, part="/flat")
        result = node.emit(Softmax(logarithm), flat, part="/softmax")
        return node.reshaped(result, (1, *x.shape), 1)
    return node.emit(Softmax(logarithm), _with_last(node, x, axis))


def _with_last(node: Context, x: Value, axis: int) -> Value:
    """``x`` with its stored ``axis`` as the last one."""
    if axis == len(x.stored) - 1:
        return x
    position = x.order.index(axis)
    last = len(x.order) - 1
    order = tuple(
        last if place == position else place - (place > position) for place in range(len(x.order))
    )
    return node.arranged(x, order)
