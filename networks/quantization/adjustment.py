"""Layers of an integer network that are adjusted to the sums they really get."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from networks.graph.graph import propagate
from networks.graph.lowering import Array
from networks.quantization.arithmetic import Arithmetic
from networks.quantization.compiled import products
from networks.quantization.network import IntegerNode, QuantizedNetwork
from networks.quantization.operations import (
    Bytes,
    Int32Array,
    IntegerMatrixLayer,
    Quantization,
)

Adjust = Callable[[IntegerMatrixLayer, Bytes, Int32Array, Quantization], IntegerMatrixLayer]
"""Of a layer, its input, its products and the quantization of its output: the layer instead."""


def adjusted(
    network: QuantizedNetwork, arithmetic: Arithmetic, images: Bytes, adjust: Adjust
) -> QuantizedNetwork:
    """``network`` whose layers are what ``adjust`` makes of them.

    Layer by layer, with products in ``arithmetic``, so that each sees what the adjusted ones before
    it make of ``images`` (from ``network.quantize_images``).
    """
    nodes: list[IntegerNode] = []

    def apply(node: IntegerNode, *values: Array) -> Array:
        operation: Any = node.operation
        if not isinstance(operation, IntegerMatrixLayer):
            nodes.append(node)
            return node.value(arithmetic, values)
        (x,) = values
        sums = products(operation, x, arithmetic)
        operation = adjust(operation, x, sums, network.quantizations[node.output])
        nodes.append(replace(node, operation=operation))
        return node.clipped(operation.finish(operation.biased(sums)))

    propagate(network.nodes, network.source, images, network.output, apply)
    return replace(network, nodes=tuple(nodes))
