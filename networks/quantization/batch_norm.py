"""Batch normalization recalibrated on the quantized network (paper, section 5)."""

from dataclasses import replace

import numpy as np

from networks.graph.graph import Graph
from networks.graph.operations import BatchNormalization, MatrixLayer
from networks.quantization.adjustment import adjusted
from networks.quantization.arithmetic import Arithmetic
from networks.quantization.network import QuantizedNetwork
from networks.quantization.operations import (
    Bytes,
    Int32Array,
    IntegerMatrixLayer,
    Quantization,
)
from networks.quantization.quantize import with_scales

ROWS = 1 << 16


def recalibrate(
    network: QuantizedNetwork, graph: Graph, arithmetic: Arithmetic, images: Bytes
) -> QuantizedNetwork:
    """``network`` with each folded batch normalization restated for the sums it really gets.

    Mean and variance over ``images`` (from ``network.quantize_images``), with products in
    ``arithmetic``, take the place of those of training; layer by layer, so that each sees what the
    recalibrated ones before it make. Only biases and requantization change. ``graph`` is what
    ``network`` was made of.
    """
    normalizations = {
        node.name: node.operation.batch_norm
        for node in graph.nodes
        if isinstance(node.operation, MatrixLayer) and node.operation.batch_norm is not None
    }

    def recalibrated(
        layer: IntegerMatrixLayer, x: Bytes, sums: Int32Array, output: Quantization
    ) -> IntegerMatrixLayer:
        del x
        norm = normalizations.get(layer.name)
        return layer if norm is None else _normalized(layer, norm, sums, output)

    return adjusted(network, arithmetic, images, recalibrated)


def _normalized(
    layer: IntegerMatrixLayer,
    norm: BatchNormalization,
    sums: Int32Array,
    output: Quantization,
) -> IntegerMatrixLayer:
    rows = sums.reshape(-1, layer.width)
    zero = layer.fill * layer.weights.sum(axis=1, dtype=np.int64).reshape(-1)
    center = rows.sum(axis=0, dtype=np.int64) / len(rows)
    # Some rows at a time: in floating point they take twice the memory.
    squares = sum(
        ((rows[top : top + ROWS] - center) ** 2).sum(axis=0) for top in range(0, len(rows), ROWS)
    )
    mean = (center - zero) * layer.steps
    variance = squares / len(rows) * layer.steps**2
    # A normalization that scales by 0 leaves nothing to measure; its constant stays.
    scaled = norm.scale != 0
    gain = np.where(scaled, norm.scale, 1) / norm.deviation
    deviation = np.sqrt(variance / gain**2 + norm.epsilon)
    factor = np.where(scaled, norm.deviation / deviation, 1)
    offset = np.where(scaled, norm.offset - mean * factor, layer.offset)
    return with_scales(replace(layer, steps=layer.steps * factor, offset=offset), output)
