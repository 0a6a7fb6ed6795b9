"""Equalization across layers: channels of one range, at the cost of the weights that take them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import isinf, prod
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from networks.fixed_point import Float64Array
from networks.graph.elementwise import Function, Product
from networks.graph.expression import X, apply
from networks.graph.graph import Graph, Node
from networks.graph.operations import AveragePool, MatrixLayer
from networks.quantization.saturation import half_step, part_that_matters

PASSES = 2
"""Channels that are small beside others are measured well once these have been equalized."""

SCALED = (MatrixLayer, Function, Product, AveragePool)
"""Operations that can take and make values with a scale per channel."""


def equalize(graph: Graph, batches: Sequence[npt.NDArray[np.floating[Any]]]) -> Graph:
    """``graph`` with channels of more equal ranges on ``batches`` (N, ...), the same function.

    Each channel x of what a layer, a function of one value, a product of two or a mean makes
    becomes (x - o) / t, where such alone take it and limits are none or a ReLU's; what takes it
    makes up for that.

    A dense layer takes W t for its weights W: then t is the square root of the ratio of the
    channel's largest magnitude to the largest weight that takes it, as a part of the largest of the
    output channel. The others have a scale per channel themselves: depthwise layers that of their
    weights, functions a table, products and means their requantization. Where these alone take it,
    t is the channel's largest magnitude.

    What functions alone take of a layer without limits has an o as well, a part of its bias: there
    the part of each channel's range that makes a difference becomes that from -1 to 1, which
    ``parts`` of the graph say. Elsewhere o is 0.
    """
    for _ in range(PASSES):
        graph = _changed(graph, _changes(graph, _extremes(graph, batches)))
    return graph


class _Change(NamedTuple):
    """What channels become: less ``offset``, over ``factor``, float64 (C,).

    ``is_part`` says that -1 to 1 are then the part of their range that makes a difference.
    """

    factor: Float64Array
    offset: Float64Array
    is_part: bool = False


Extremes = Mapping[str, tuple[Float64Array, Float64Array]]
"""By value, the smallest and the largest of each channel, float64 (C,)."""


def _extremes(graph: Graph, batches: Sequence[npt.NDArray[np.floating[Any]]]) -> Extremes:
    """Those of all values that can be changed, and of what functions make of them."""
    names = _free(graph)
    names |= {
        node.output
        for node in graph.nodes
        if isinstance(node.operation, Function) and node.inputs[0] in names
    }
    found: dict[str, tuple[Float64Array, Float64Array]] = {}

    def observe(name: str, value: Float64Array) -> None:
        if name in names:
            over = tuple(range(value.ndim - 1))
            low, high = value.min(axis=over), value.max(axis=over)
            if name in found:
                low, high = np.minimum(low, found[name][0]), np.maximum(high, found[name][1])
            found[name] = low, high

    for batch in batches:
        graph.forward(batch, observe)
    return found


def _free(graph: Graph) -> set[str]:
    """The values that can be changed."""
    consumers = graph.consumers
    found: set[str] = set()
    for node in reversed(graph.nodes):
        taking = consumers[node.output]
        means = [other for other in taking if isinstance(other.operation, AveragePool)]
        if (
            node.output != graph.output
            and taking
            and all(isinstance(each.operation, SCALED) for each in (node, *taking))
            and all(limit == 0 or isinf(limit) for limit in node.clip or ())
            # The sums of a mean at the end are the logits, of one scale.
            and all(mean.output in found for mean in means)
        ):
            found.add(node.output)
    return found


def _changes(graph: Graph, extremes: Extremes) -> dict[str, _Change]:
    consumers, free = graph.consumers, _free(graph)
    return {
        node.output: _change(node, consumers[node.output], extremes)
        for node in graph.nodes
        if node.output in free
    }


def _change(node: Node, consumers: Sequence[Node], extremes: Extremes) -> _Change:
    low, high = extremes[node.output]
    if all(isinstance(other.operation, Function) for other in consumers):
        low, high = _part_that_matters(low, high, consumers, extremes)
        if isinstance(node.operation, MatrixLayer) and node.clip is None:
            factor = np.where(high > low, (high - low) / 2, 1)
            return _Change(factor, (high + low) / 2, is_part=True)
    channels = len(low)
    largest = np.maximum(np.abs(low), np.abs(high))
    dense = [
        _largest_parts(other.operation, channels)
        for other in consumers
        if isinstance(other.operation, MatrixLayer) and len(other.operation.weights) < channels
    ]
    taking = np.max(dense, axis=0) if dense else np.ones(channels)
    used = (largest > 0) & (taking > 0)
    factor = np.where(used, largest, 1) / np.where(used, taking, 1)
    return _Change(np.sqrt(factor) if dense else factor, np.zeros(channels))


def _part_that_matters(
    low: Float64Array, high: Float64Array, functions: Sequence[Node], extremes: Extremes
) -> tuple[Float64Array, Float64Array]:
    """Of the range of each channel, what makes a difference to any of the ``functions``."""
    parts = [
        part_that_matters(node.operation, low, high, half_step(*extremes[node.output]))
        for node in functions
        if isinstance(node.operation, Function)
    ]
    lows, highs = zip(*parts, strict=True)
    return np.min(lows, axis=0), np.max(highs, axis=0)


def _changed(graph: Graph, changes: Mapping[str, _Change]) -> Graph:
    nodes = []
    for node in graph.nodes:
        operation = node.operation
        inputs = [changes.get(name) for name in node.inputs]
        output = changes.get(node.output)
        match operation:
            case MatrixLayer():
                operation = _layer(operation, inputs[0], output)
            case Function():
                operation = _function(operation, inputs[0], output)
            case Product():
                factors = [change.factor for change in inputs if change]
                factor = prod(factors, start=operation.factor)
                operation = Product(factor / output.factor if output else factor)
            case AveragePool():
                before = inputs[0].factor if inputs[0] else 1.0
                after = output.factor if output else 1.0
                operation = replace(operation, divisors=operation.divisors / before * after)
        nodes.append(replace(node, operation=operation))
    parts = {name: (-1.0, 1.0) for name, change in changes.items() if change.is_part}
    return replace(graph, nodes=tuple(nodes), parts=parts)


def _layer(layer: MatrixLayer, source: _Change | None, output: _Change | None) -> MatrixLayer:
    weights, bias, norm = layer.weights, layer.bias, layer.batch_norm
    if source:
        weights = weights * _rows(layer, source.factor)
    if output:
        weights = weights / output.factor.reshape(len(weights), 1, -1)
        bias = (bias - output.offset) / output.factor
        norm = norm and norm._replace(
            scale=norm.scale / output.factor,
            offset=(norm.offset - output.offset) / output.factor,
        )
    return replace(layer, weights=weights, bias=bias, batch_norm=norm)


def _function(function: Function, source: _Change | None, output: _Change | None) -> Function:
    expression = function.expression
    if source:
        x = apply("multiply", X, source.factor)
        expression = expression.of(apply("add", x, source.offset) if source.is_part else x)
    if output:
        expression = apply("divide", expression, output.factor)
    return Function(expression)


def _largest_parts(layer: MatrixLayer, channels: int) -> Float64Array:
    """Of the weights that take each channel, the largest, as a part of its output channel's."""
    magnitudes = np.abs(layer.weights)
    tops = magnitudes.max(axis=1, keepdims=True)
    parts = (magnitudes / np.where(tops > 0, tops, 1)).max(axis=2)
    result: Float64Array = parts.reshape(len(parts), -1, channels // len(parts)).max(axis=1)
    return result.reshape(channels)


def _rows(layer: MatrixLayer, factors: Float64Array) -> Float64Array:
    """``factors`` of the input's channels along the reduction of ``layer``: (groups, K, 1)."""
    groups = len(layer.weights)
    per_group = factors.reshape(groups, 1, -1)
    taps = layer.depth // per_group.shape[2]
    return np.broadcast_to(per_group, (groups, taps, per_group.shape[2])).reshape(groups, -1, 1)
