"""Equalization across layers: channels of one range, at the cost of the weights that take them."""

from collections.abc import Sequence
from dataclasses import replace
from math import isinf
from typing import Any

import numpy as np
import numpy.typing as npt

from networks.fixed_point import Float64Array
from networks.graph.elementwise import Function
from networks.graph.expression import X, apply
from networks.graph.graph import Graph, Node
from networks.graph.operations import MatrixLayer

PASSES = 2
"""Channels that are small beside others are measured well once these have been equalized."""


def equalize(graph: Graph, batches: Sequence[npt.NDArray[np.floating[Any]]]) -> Graph:
    """``graph`` with channels of more equal ranges on ``batches`` (N, ...), the same function.

    Each channel x of what a layer or a function of one value makes becomes x / t, and the weights
    that take it W t, where layers or functions alone take it, and limits are none or a ReLU's.
    Where all of these are depthwise, whose weights have a scale per channel, or functions, which
    become one of each channel, t is the channel's largest magnitude; otherwise t is the square root
    of its ratio to the largest weight that takes it, as a part of the largest of the output
    channel. Powers of two near that are taken, by which nothing is rounded.
    """
    for _ in range(PASSES):
        graph = _equalized(graph, _largest(graph, batches))
    return graph


def _largest(
    graph: Graph, batches: Sequence[npt.NDArray[np.floating[Any]]]
) -> dict[str, Float64Array]:
    """The largest magnitude of each channel of the values that can be equalized."""
    consumers = graph.consumers
    found = {
        node.output: np.zeros(graph.shapes[node.output][-1])
        for node in graph.nodes
        if isinstance(node.operation, MatrixLayer | Function)
        and node.output != graph.output
        and _is_free(node, consumers[node.output])
    }

    def observe(name: str, value: Float64Array) -> None:
        if name in found:
            over = np.abs(value).max(axis=tuple(range(value.ndim - 1)))
            found[name] = np.maximum(found[name], over)

    for batch in batches:
        graph.forward(batch, observe)
    return found


def _is_free(node: Node, consumers: list[Node]) -> bool:
    """Whether factors can pass through the limits of ``node`` into all that take its output."""
    limits = node.clip or ()
    return (
        all(limit == 0 or isinf(limit) for limit in limits)
        and bool(consumers)
        and all(isinstance(consumer.operation, MatrixLayer | Function) for consumer in consumers)
    )


def _equalized(graph: Graph, largest: dict[str, Float64Array]) -> Graph:
    consumers = graph.consumers
    factors = {
        name: _factors(values, [node.operation for node in consumers[name]])
        for name, values in largest.items()
    }
    nodes = []
    for node in graph.nodes:
        layer = node.operation
        if isinstance(layer, MatrixLayer):
            if node.inputs[0] in factors:
                layer = replace(
                    layer, weights=layer.weights * _rows(layer, factors[node.inputs[0]])
                )
            if node.output in factors:
                layer = _divided(layer, factors[node.output])
        elif isinstance(layer, Function):
            expression = layer.expression
            if node.inputs[0] in factors:
                expression = expression.of(apply("multiply", X, factors[node.inputs[0]]))
            if node.output in factors:
                expression = apply("divide", expression, factors[node.output])
            layer = Function(expression)
        nodes.append(replace(node, operation=layer))
    return replace(graph, nodes=tuple(nodes))


def _factors(largest: Float64Array, consumers: list[Any]) -> Float64Array:
    """What each channel is divided by."""
    channels = len(largest)
    weights = [
        _largest_parts(layer, channels)
        for layer in consumers
        if isinstance(layer, MatrixLayer) and len(layer.weights) < channels
    ]
    taking = np.max(weights, axis=0) if weights else np.ones(channels)
    used = (largest > 0) & (taking > 0)
    _, exponents = np.frexp(np.where(used, largest, 1) / np.where(used, taking, 1))
    return np.where(used, np.ldexp(1.0, exponents // 2 if weights else exponents), 1.0)


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


def _divided(layer: MatrixLayer, factors: Float64Array) -> MatrixLayer:
    """``layer`` with each output channel divided by its factor."""
    norm = layer.batch_norm
    return replace(
        layer,
        weights=layer.weights / factors.reshape(len(layer.weights), 1, -1),
        bias=layer.bias / factors,
        batch_norm=norm and norm._replace(scale=norm.scale / factors, offset=norm.offset / factors),
    )
