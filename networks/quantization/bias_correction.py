"""Biases that take off the mean error of a layer's products."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from networks.fixed_point import Float64Array
from networks.quantization.adjustment import adjusted
from networks.quantization.arithmetic import Arithmetic, exact
from networks.quantization.compiled import products
from networks.quantization.network import QuantizedNetwork
from networks.quantization.operations import (
    Bytes,
    Int32Array,
    IntegerMatrixLayer,
    Quantization,
)
from networks.quantization.quantize import with_scales

Means = Callable[[IntegerMatrixLayer, Bytes], Float64Array]
"""What the products of each output channel of a layer should be on the mean, float64 (N,), for its
input: without the bias."""


def correct_biases(
    network: QuantizedNetwork, arithmetic: Arithmetic, images: Bytes, means: Means
) -> QuantizedNetwork:
    """``network`` whose layers have, on the mean of ``images``, products as ``means`` asks for.

    For each output channel what the mean of its products in ``arithmetic`` differs by is taken off
    the bias; layer by layer, so that each sees what the corrected ones before it make. ``images``
    are from ``network.quantize_images``. Layers without such an error stay as they are.
    """

    def corrected(
        layer: IntegerMatrixLayer, x: Bytes, sums: Int32Array, output: Quantization
    ) -> IntegerMatrixLayer:
        error = _mean(layer, sums) - means(layer, x)
        if not error.any():
            return layer
        return with_scales(replace(layer, offset=layer.offset - error), output)

    return adjusted(network, arithmetic, images, corrected)


def exact_means(layers: Mapping[str, IntegerMatrixLayer]) -> Means:
    """The means of the products of ``layers``, by name, in exact integers, of the same input."""

    def means(layer: IntegerMatrixLayer, x: Bytes) -> Float64Array:
        reference = layers[layer.name]
        return _mean(reference, products(reference, x, exact))

    return means


def _mean(layer: IntegerMatrixLayer, sums: Int32Array) -> Float64Array:
    """What the ``sums`` of products of each output channel stand for, on the mean."""
    zero = layer.fill * layer.weights.sum(axis=1, dtype=np.int64).reshape(-1)
    total = sums.reshape(-1, layer.width).sum(axis=0, dtype=np.int64)
    mean: Float64Array = (total / (sums.size // layer.width) - zero) * layer.steps
    return mean
