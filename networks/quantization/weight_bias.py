"""Biases that make up for what rounded and clipped weights are wrong by on the mean."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from networks.fixed_point import Float64Array
from networks.graph.graph import Graph
from networks.graph.operations import MatrixLayer
from networks.quantization.network import QuantizedNetwork
from networks.quantization.operations import IntegerMatrixLayer
from networks.quantization.quantize import with_scales
from networks.quantization.reordering import taking


def with_weight_biases(
    network: QuantizedNetwork, graph: Graph, means: Mapping[str, Float64Array]
) -> QuantizedNetwork:
    """``network`` whose biases have the products of ``means`` with what its weights differ by.

    ``means``, by layer: float64 (groups, K), of its lowered input in floating point, whose channels
    are in the order of ``graph``, as are those of its weights.
    """
    layers = {
        node.name: node.operation
        for node in graph.matrix_nodes
        if isinstance(node.operation, MatrixLayer)
    }
    nodes = []
    for node in network.nodes:
        layer = node.operation
        if isinstance(layer, IntegerMatrixLayer):
            step = network.quantizations[node.inputs[0]].step * layer.code_step
            groups, _, width = layer.weights.shape
            scales = (layer.steps / step).reshape(groups, 1, width)
            missing = layers[layer.name].weights - taking(layer, None).weights * scales
            # One after the other, whatever the processor.
            sums = np.add.accumulate(missing * means[layer.name][:, :, np.newaxis], axis=1)
            offset = layer.offset + sums[:, -1].reshape(-1)
            output = network.quantizations[node.output]
            layer = with_scales(replace(layer, offset=offset), output)
            node = replace(node, operation=layer)
        nodes.append(node)
    return replace(network, nodes=tuple(nodes))
