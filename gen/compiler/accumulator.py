"""The narrowest accumulator that a network cannot overflow."""

from dataclasses import replace

from gen.compiler.lowering.matrix import layer_sum_bits
from golden.accelerator.shape import AcceleratorShape
from networks.graph.lowering import Patch
from networks.quantization.channel_groups import is_channel_by_channel
from networks.quantization.network import QuantizedNetwork
from networks.quantization.operations import IntegerMatrixLayer


def network_sum_bits(shape: AcceleratorShape, network: QuantizedNetwork) -> int:
    """The fewest bits of an accumulator in which no sum of ``network`` overflows.

    For all bytes that its layers can take, by exact integers; whether those layers that are
    windowed in ``network`` are, or stay at 8 bits. The compiler refuses a machine of fewer bits.
    """
    layers = [layer for layer in network.layers if not _beside(shape, layer)]
    exact = [replace(layer, windowed=False) for layer in layers]
    return max(layer_sum_bits(shape, layer) for layer in [*layers, *exact])


def _beside(shape: AcceleratorShape, layer: IntegerMatrixLayer) -> bool:
    """Whether the vector unit has its sums."""
    is_convolution = isinstance(layer.lowering, Patch)
    return shape.multiplies and is_convolution and is_channel_by_channel(layer)
