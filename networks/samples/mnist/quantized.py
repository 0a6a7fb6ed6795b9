"""The network for MNIST in integers, as demonstrations and measurements use it."""

from networks.graph.graph import Graph
from networks.importer import import_onnx
from networks.quantization.calibration import calibrate
from networks.quantization.network import QuantizedNetwork
from networks.quantization.quantize import quantize
from networks.samples.mnist import MNIST_MODEL, Mnist


def quantized_mnist(
    mnist: Mnist, first_layer_windowed: bool, signed: str | None = None
) -> tuple[Graph, QuantizedNetwork]:
    """The trained network, and its quantization by the largest activations of calibration.

    All layers are windowed, the first one only if so asked; ``signed`` is that of
    :func:`networks.quantization.quantize.quantize`.
    """
    graph = import_onnx(MNIST_MODEL)
    ranges = calibrate(graph, [mnist.calibration.inputs], method="max")
    network = quantize(
        graph,
        ranges,
        first_layer_windowed=first_layer_windowed,
        last_layer_windowed=True,
        signed=signed,
    )
    return graph, network
