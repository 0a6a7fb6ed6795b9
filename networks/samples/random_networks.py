"""Networks of well-known shapes with random weights, as ONNX files: to see what they take."""

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

CLASSES = 1000
SEED = 0
OPSET = 17


class _Layers:
    """A network under construction: each method adds a layer and returns its value's name."""

    def __init__(self) -> None:
        self._rng = np.random.default_rng(SEED)
        self._nodes: list[onnx.NodeProto] = []
        self._weights: list[onnx.TensorProto] = []

    def node(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Any operator."""
        name = f"/{operator}_{len(self._nodes)}"
        self._nodes.append(
            helper.make_node(operator, inputs, [f"{name}_output"], name, **attributes)
        )
        return f"{name}_output"

    def convolution(
        self, x: str, channels: int, width: int, kernel: int, stride: int = 1, relu: bool = True
    ) -> str:
        """A convolution that keeps the size, but for its stride."""
        made = self.node(
            *("Conv", x, self._random(width, channels, kernel, kernel), self._random(width, 1)),
            kernel_shape=[kernel] * 2,
            strides=[stride] * 2,
            pads=[kernel // 2] * 4,
        )
        return self.node("Relu", made) if relu else made

    def max_pool(self, x: str, padding: int) -> str:
        """Of 3 x 3, at every other position."""
        return self.node("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[padding] * 4)

    def model(self, side: int, logits: str) -> bytes:
        """All that was added, on images of ``side`` x ``side``."""
        graph = helper.make_graph(
            self._nodes,
            "network",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ("N", 3, side, side))],
            [helper.make_tensor_value_info(logits, TensorProto.FLOAT, None)],
            self._weights,
        )
        opsets = [helper.make_opsetid("", OPSET)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
        return bytes(model.SerializeToString())

    def linear(self, x: str, features: int, width: int) -> str:
        """A fully connected layer."""
        weights = self._random(width, features), self._random(width, 1)
        return self.node("Gemm", x, *weights, transB=1)

    def _random(self, *shape: int) -> str:
        """Weights that keep the scale of values; a bias where there is one input."""
        deviation = 1.4 / np.sqrt(prod(shape[1:]))
        values = self._rng.normal(0, deviation, shape).astype(np.float32)
        name = f"w{len(self._weights)}"
        bias = len(shape) == 2 and shape[1] == 1
        array = values[:, 0] * np.float32(0.1) if bias else values
        self._weights.append(numpy_helper.from_array(array, name))
        return name


def _residual(
    side: int, classes: int, widths: Sequence[int], blocks: Sequence[int], expansion: int
) -> bytes:
    """Stages of as many blocks; with an ``expansion`` above 1 these are bottlenecks."""
    layers = _Layers()
    large = side > 100
    x = layers.convolution("x", 3, widths[0], 7 if large else 3, 2 if large else 1)
    if large:
        x = layers.max_pool(x, 1)
    channels = widths[0]
    for stage, (width, count) in enumerate(zip(widths, blocks, strict=True)):
        outer = width * expansion
        for block in range(count):
            stride = 2 if stage and not block else 1
            if expansion > 1:
                y = layers.convolution(x, channels, width, 1)
                y = layers.convolution(y, width, width, 3, stride)
                y = layers.convolution(y, width, outer, 1, relu=False)
            else:
                y = layers.convolution(x, channels, width, 3, stride)
                y = layers.convolution(y, width, width, 3, relu=False)
            if channels != outer:
                x = layers.convolution(x, channels, outer, 1, stride, relu=False)
            x = layers.node("Relu", layers.node("Add", y, x))
            channels = outer
    x = layers.node("Flatten", layers.node("GlobalAveragePool", x))
    return layers.model(side, layers.linear(x, channels, classes))


def resnet18() -> bytes:
    """ResNet-18 at 224 x 224."""
    return _residual(224, CLASSES, (64, 128, 256, 512), (2, 2, 2, 2), 1)


def resnet20() -> bytes:
    """ResNet-20, that of CIFAR-10, at 32 x 32."""
    return _residual(32, 10, (16, 32, 64), (3, 3, 3), 1)


def resnet50() -> bytes:
    """ResNet-50 at 224 x 224."""
    return _residual(224, CLASSES, (64, 128, 256, 512), (3, 4, 6, 3), 4)


def squeezenet() -> bytes:
    """SqueezeNet 1.0 at 227 x 227."""
    layers = _Layers()
    x = layers.max_pool(layers.convolution("x", 3, 96, 7, 2), 0)
    channels = 96
    for fire, (squeezed, width) in enumerate(
        ((16, 64), (16, 64), (32, 128), (32, 128), (48, 192), (48, 192), (64, 256), (64, 256))
    ):
        y = layers.convolution(x, channels, squeezed, 1)
        parts = [layers.convolution(y, squeezed, width, kernel) for kernel in (1, 3)]
        x, channels = layers.node("Concat", *parts, axis=1), 2 * width
        if fire in (2, 6):
            x = layers.max_pool(x, 0)
    x = layers.node("GlobalAveragePool", layers.convolution(x, channels, CLASSES, 1))
    return layers.model(227, layers.node("Flatten", x))


RANDOM_NETWORKS: dict[str, Callable[[], bytes]] = {
    "resnet20": resnet20,
    "squeezenet": squeezenet,
    "resnet50": resnet50,
}
"""By name, what makes the ONNX file."""
