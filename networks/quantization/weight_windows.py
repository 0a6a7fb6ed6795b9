"""Weights as static windows: sign and magnitude, a few bits of it at a shift."""

from collections.abc import Collection
from dataclasses import replace

import numpy as np

import golden
from networks.quantization.network import QuantizedNetwork
from networks.quantization.operations import IntegerMatrixLayer
from networks.quantization.quantize import with_scales


def window_weights(
    network: QuantizedNetwork, names: Collection[str], fmt: golden.SparqFormat
) -> QuantizedNetwork:
    """``network`` with the weights of the layers ``names`` in ``fmt``, biases as they demand.

    That is ``golden.sparq`` of the integer weights along K, of a signed format without vSPARQ: each
    weight, or each group of them along K, has one shift, which is known before any activation.
    """
    nodes = []
    for node in network.nodes:
        layer = node.operation
        if isinstance(layer, IntegerMatrixLayer) and node.name in names:
            weights = golden.sparq(layer.weights, fmt, axis=1).astype(np.int8)
            output = network.quantizations[node.output]
            layer = with_scales(replace(layer, weights=weights), output)
        nodes.append(replace(node, operation=layer))
    return replace(network, nodes=tuple(nodes))
