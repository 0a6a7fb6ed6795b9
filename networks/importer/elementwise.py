"""ONNX's operators that work element by element."""

import math
from collections.abc import Callable

import numpy as np

from networks.fixed_point import Float64Array
from networks.graph.elementwise import (
    Affine,
    Function,
    Largest,
    Product,
    Quotient,
    Smallest,
    Sum,
)
from networks.graph.expression import Expression, X, apply, limited
from networks.importer.context import Context, Value

Converter = Callable[[Context], Value]


def _function(node: Context, x: Value, expression: Expression) -> Value:
    return node.emit(Function(expression), x)


def function(name: str) -> Converter:
    """The operator that is one of an expression's functions."""
    return lambda node: _function(node, node.value(), apply(name, X))


def relu(node: Context) -> Value:
    """Relu: limits of 0 and infinity."""
    return node.emit(Sum(), node.value(), clip=(0.0, math.inf))


def clip(node: Context) -> Value:
    """Clip, to limits of which either may be missing."""
    low, high = node.scalar(1, -math.inf), node.scalar(2, math.inf)
    return _clipped(node, node.value(), low, high)


def _clipped(node: Context, x: Value, low: float, high: float) -> Value:
    if not low <= high:
        raise ValueError(f"the limits must be in order, not be {low} and {high}")
    return node.emit(Sum(), x, clip=(low, high))


def negative(node: Context) -> Value:
    """Neg."""
    return _scaled(node, node.value(), np.array(-1.0), np.array(0.0))


def reciprocal(node: Context) -> Value:
    """Reciprocal."""
    return _function(node, node.value(), apply("divide", 1.0, X))


def leaky_relu(node: Context) -> Value:
    """LeakyRelu: negative numbers times ``alpha``."""
    return _function(node, node.value(), _sloped(np.array(node.attribute("alpha", 0.01))))


def parametric_relu(node: Context) -> Value:
    """PRelu: negative numbers times a constant, of all or of each channel."""
    x = node.value()
    return _function(node, x, _sloped(_per_channel(node, 1, x)))


def _sloped(slope: Float64Array) -> Expression:
    return apply(
        "add", apply("maximum", X, 0.0), apply("multiply", apply("minimum", X, 0.0), slope)
    )


def _exponential(positive: float, negative: float, divisor: float = 1.0) -> Expression:
    """``positive * x`` above 0, ``negative * (exp(x / divisor) - 1)`` below."""
    below = apply("exp", apply("divide", apply("minimum", X, 0.0), divisor))
    return apply(
        "add",
        apply("multiply", apply("maximum", X, 0.0), positive),
        apply("multiply", apply("subtract", below, 1.0), negative),
    )


def elu(node: Context) -> Value:
    """Elu."""
    return _function(node, node.value(), _exponential(1.0, node.attribute("alpha", 1.0)))


def celu(node: Context) -> Value:
    """Celu."""
    alpha = node.attribute("alpha", 1.0)
    if alpha == 0:
        raise ValueError("attribute alpha must not be 0")
    return _function(node, node.value(), _exponential(1.0, alpha, alpha))


def selu(node: Context) -> Value:
    """Selu."""
    alpha, gamma = node.attribute("alpha", 1.6732632), node.attribute("gamma", 1.050701)
    return _function(node, node.value(), _exponential(gamma, gamma * alpha))


def thresholded_relu(node: Context) -> Value:
    """ThresholdedRelu: 0 up to ``alpha``."""
    above = apply("greater", X, node.attribute("alpha", 1.0))
    return _function(node, node.value(), apply("multiply", X, above))


def _gate(slope: float, offset: float) -> Expression:
    return limited(apply("add", apply("multiply", X, slope), offset), 0.0, 1.0)


def hard_sigmoid(node: Context) -> Value:
    """HardSigmoid: ``alpha * x + beta`` within 0 and 1."""
    gate = _gate(node.attribute("alpha", 0.2), node.attribute("beta", 0.5))
    return _function(node, node.value(), gate)


def hard_swish(node: Context) -> Value:
    """HardSwish: ``x`` times a hard sigmoid of it."""
    return _function(node, node.value(), apply("multiply", X, _gate(1 / 6, 0.5)))


def swish(node: Context) -> Value:
    """Swish, or SiLU: ``x * sigmoid(alpha * x)``."""
    gate = apply("sigmoid", apply("multiply", X, node.attribute("alpha", 1.0)))
    return _function(node, node.value(), apply("multiply", X, gate))


def gelu(node: Context) -> Value:
    """Gelu, by erf or approximated by tanh."""
    approximate = node.attribute("approximate", "none")
    if approximate == "none":
        step = apply("erf", apply("divide", X, math.sqrt(2)))
    elif approximate == "tanh":
        cube = apply("multiply", apply("power", X, 3.0), 0.044715)
        inner = apply("multiply", apply("add", X, cube), math.sqrt(2 / math.pi))
        step = apply("tanh", inner)
    else:
        raise ValueError(f"the approximation {approximate!r} is not supported")
    half = apply("multiply", X, 0.5)
    return _function(node, node.value(), apply("multiply", half, apply("add", step, 1.0)))


def mish(node: Context) -> Value:
    """Mish: ``x * tanh(softplus(x))``."""
    gate = apply("tanh", apply("softplus", X))
    return _function(node, node.value(), apply("multiply", X, gate))


def softsign(node: Context) -> Value:
    """Softsign: ``x / (1 + |x|)``."""
    return _function(
        node, node.value(), apply("divide", X, apply("add", apply("absolute", X), 1.0))
    )


def power(node: Context) -> Value:
    """Pow to a constant, of one element."""
    if not isinstance(node.inputs[1], np.ndarray) or node.inputs[1].size != 1:
        raise ValueError("the exponent must be a constant of one element")
    exponent = float(node.inputs[1].reshape(()))
    if not math.isfinite(exponent):
        raise ValueError(f"the exponent must be finite, not {exponent}")
    return _function(node, node.value(), apply("power", X, exponent))


def add(node: Context) -> Value:
    """Add of two values, or of a value and a constant that broadcasts to it."""
    index = _constant_of(node)
    if index is None:
        return node.emit(Sum(), *node.values())
    x = node.value(1 - index)
    return _scaled(node, x, np.array(1.0), node.operand(index, x))


def subtract(node: Context) -> Value:
    """Sub, likewise."""
    index = _constant_of(node)
    if index is None:
        return node.emit(Sum((1.0, -1.0)), *node.values())
    x = node.value(1 - index)
    constant = node.operand(index, x)
    factor, offset = (1.0, -constant) if index == 1 else (-1.0, constant)
    return _scaled(node, x, np.array(factor), offset)


def multiply(node: Context) -> Value:
    """Mul, likewise."""
    index = _constant_of(node)
    if index is None:
        return node.emit(Product(), *node.values())
    x = node.value(1 - index)
    return _scaled(node, x, node.operand(index, x), np.array(0.0))


def divide(node: Context) -> Value:
    """Div, likewise."""
    index = _constant_of(node)
    if index is None:
        return node.emit(Quotient(), *node.values())
    x = node.value(1 - index)
    constant = node.operand(index, x)
    if index == 0:
        return _function(node, x, apply("divide", _per_channel(node, 0, x), X))
    if not constant.all():
        raise ValueError("a constant divisor must not be 0")
    return _scaled(node, x, 1 / constant, np.array(0.0))


def _constant_of(node: Context) -> int | None:
    """Which of two inputs is a constant."""
    if len(node.inputs) != 2:
        raise ValueError(f"there must be 2 inputs, not {len(node.inputs)}")
    return next((i for i in (1, 0) if isinstance(node.inputs[i], np.ndarray)), None)


def _scaled(node: Context, x: Value, scale: Float64Array, offset: Float64Array) -> Value:
    """``scale * x + offset``, constants of one shape: at least one per channel."""
    scales, offsets = np.broadcast_arrays(scale, offset, np.empty(x.stored[-1]))[:2]
    return node.emit(Affine(scales, offsets), x)


def _per_channel(node: Context, index: int, x: Value) -> Float64Array:
    constant = node.operand(index, x)
    if constant.ndim > 1:
        raise ValueError(
            f"a constant of the shape {node.constant(index).shape} is not one per channel, "
            f"of {x.stored[-1]}"
        )
    return constant


def sum_of_many(node: Context) -> Value:
    """Sum of any number of values."""
    return node.emit(Sum(), *node.values())


def mean_of_many(node: Context) -> Value:
    """Mean of any number of values."""
    return node.emit(Sum((1 / len(node.inputs),) * len(node.inputs)), *node.values())


def largest(node: Context) -> Value:
    """Max of values, or of a value and constants."""
    return _extreme(node, "maximum", Largest())


def smallest(node: Context) -> Value:
    """Min, likewise."""
    return _extreme(node, "minimum", Smallest())


def _extreme(node: Context, name: str, operation: Largest | Smallest) -> Value:
    constants = [i for i, given in enumerate(node.inputs) if isinstance(given, np.ndarray)]
    if not constants:
        values = node.values()
        return node.emit(operation, *values) if len(values) > 1 else values[0]
    others = [i for i in range(len(node.inputs)) if i not in constants]
    if len(others) != 1:
        raise ValueError("constants must be compared with one value")
    x = node.value(others[0])
    expression = X
    for index in constants:
        expression = apply(name, expression, _per_channel(node, index, x))
    limits = [node.constant(i) for i in constants]
    if len(limits) == 1 and limits[0].size == 1:
        limit = float(limits[0].reshape(()))
        low, high = (limit, math.inf) if name == "maximum" else (-math.inf, limit)
        return _clipped(node, x, low, high)
    return _function(node, x, expression)
