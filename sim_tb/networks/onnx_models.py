"""Small ONNX models with random weights, made of the operators that real exporters write."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from networks.graph.graph import Graph
from networks.importer import import_onnx, reference_model

Array = npt.NDArray[Any]
NEWEST_OPSET = onnx.defs.onnx_opset_version()


class Builder:
    """A model under construction: every method adds nodes and returns the name of a value."""

    def __init__(
        self, *shape: int | str | None, opset: int = 17, batch: int | str = "N", seed: int = 0
    ) -> None:
        self.opset = opset
        self.rng = np.random.default_rng(seed)
        self.input = helper.make_tensor_value_info("x", TensorProto.FLOAT, (batch, *shape))
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def weight(self, array: Array) -> str:
        self.weights.append(numpy_helper.from_array(array, f"w{len(self.weights)}"))
        return self.weights[-1].name

    def random(self, *shape: int, gain: float = 1.0) -> Array:
        """Normal numbers that keep the scale of values, if all axes but the first are summed."""
        deviation = gain / np.sqrt(math.prod(shape[1:]))
        return self.rng.normal(0, deviation, shape).astype(np.float32)

    def op(self, operator: str, *inputs: str | Array, outputs: int = 1, **attributes: Any) -> str:
        """One node; arrays become weights. Named as PyTorch does; returns its first output."""
        names = [given if isinstance(given, str) else self.weight(given) for given in inputs]
        name = f"/{operator}_{len(self.nodes)}"
        made = [f"{name}_output_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(operator, names, made, name, **attributes))
        return made[0]

    def constant(self, values: Any, dtype: npt.DTypeLike = np.int64) -> str:
        """An ONNX Constant."""
        return self.op("Constant", value=numpy_helper.from_array(np.array(values, dtype)))

    def conv(
        self,
        x: str,
        channels: int,
        width: int,
        kernel: int,
        stride: int = 1,
        pad: int = 0,
        groups: int = 1,
        bias: bool = True,
    ) -> str:
        weights = self.random(width, channels // groups, kernel, kernel, gain=1.4)
        offset = [self.random(width, gain=0.2)] if bias else []
        return self.op(
            "Conv",
            x,
            weights,
            *offset,
            dilations=[1, 1],
            group=groups,
            kernel_shape=[kernel, kernel],
            pads=[pad] * 4,
            strides=[stride, stride],
        )

    def gemm(self, x: str, features: int, width: int) -> str:
        weights, bias = self.random(width, features, gain=1.4), self.random(width, gain=0.2)
        return self.op("Gemm", x, weights, bias, alpha=1.0, beta=1.0, transB=1)

    def norm(self, x: str, channels: int) -> str:
        """A BatchNormalization, as it is after training."""
        scale, variance = self.rng.uniform(0.5, 1.5, (2, channels)).astype(np.float32)
        offset, mean = 0.3 * self.rng.normal(size=(2, channels)).astype(np.float32)
        inputs = (scale, offset, mean, variance)
        return self.op("BatchNormalization", x, *inputs, epsilon=1e-5, momentum=0.9)

    def relu(self, x: str) -> str:
        return self.op("Relu", x)

    def pool(self, operator: str, x: str, kernel: int, stride: int, pad: int = 0, **a: Any) -> str:
        sides: dict[str, Any] = {
            "kernel_shape": [kernel] * 2,
            "strides": [stride] * 2,
            "pads": [pad] * 4,
        }
        return self.op(operator, x, **sides, **a)

    def flatten(self, x: str) -> str:
        return self.op("Flatten", x, axis=1)

    def model(self, *outputs: str, kind: int = TensorProto.FLOAT) -> onnx.ModelProto:
        """The model of these outputs, of unknown shapes."""
        values = [helper.make_tensor_value_info(output, kind, None) for output in outputs]
        graph = helper.make_graph(self.nodes, "main_graph", [self.input], values, self.weights)
        return helper.make_model(
            graph,
            producer_name="pytorch",
            ir_version=8,
            opset_imports=[helper.make_opsetid("", self.opset)],
        )


def lenet(seed: int = 0) -> onnx.ModelProto:
    b = Builder(1, 28, 28, opset=13, seed=seed)
    x = b.pool("MaxPool", b.relu(b.conv("x", 1, 6, 5, pad=2)), 2, 2)
    x = b.pool("MaxPool", b.relu(b.conv(x, 6, 16, 5)), 2, 2)
    x = b.op("Reshape", x, b.constant([-1, 400]))
    x = b.relu(b.gemm(x, 400, 32))
    return b.model(b.gemm(b.relu(b.gemm(x, 32, 24)), 24, 10))


def vgg(seed: int = 0) -> onnx.ModelProto:
    b = Builder(3, 32, 32, opset=12, seed=seed)
    x, channels = "x", 3
    for width in (8, 16, 16):
        for _ in range(2):
            x, channels = b.relu(b.norm(b.conv(x, channels, width, 3, pad=1), width)), width
        x = b.pool("MaxPool", x, 2, 2)
    x = b.flatten(b.pool("AveragePool", x, 2, 2))
    x = b.op("Dropout", b.relu(b.gemm(x, 64, 32)), outputs=2)
    return b.model(b.gemm(x, 32, 10))


def resnet(seed: int = 0) -> onnx.ModelProto:
    """Shortcuts with a convolution and with a slice and a pad, its amounts a constant subgraph."""
    b = Builder(3, 16, 16, opset=13, seed=seed)

    def block(x: str, channels: int, width: int, stride: int, shortcut: str) -> str:
        y = b.relu(b.norm(b.conv(x, channels, width, 3, stride, 1, bias=False), width))
        y = b.norm(b.conv(y, width, width, 3, pad=1, bias=False), width)
        return b.relu(b.op("Add", y, shortcut))

    x = b.relu(b.norm(b.conv("x", 3, 8, 3, pad=1, bias=False), 8))
    x = block(x, 8, 8, 1, x)
    x = block(x, 8, 16, 2, b.norm(b.conv(x, 8, 16, 1, 2, bias=False), 16))
    part = b.op("Slice", x, *(b.constant(v) for v in ([0, 0], [2**63 - 1] * 2, [2, 3], [2, 2])))
    # What TorchScript writes for F.pad(x, (0, 0, 0, 0, 4, 4)).
    amounts = b.constant([0, 0, 0, 0, 4, 4])
    length = b.op("Gather", b.op("Shape", amounts), b.constant(0), axis=0)
    missing = b.op("Sub", b.op("Mul", b.constant([4]), b.constant(2)), length)
    zero = numpy_helper.from_array(np.zeros(1, np.int64))
    zeros = b.op("ConstantOfShape", missing, value=zero)
    pairs = b.op("Concat", b.op("Cast", amounts, to=TensorProto.INT64), zeros, axis=0)
    pairs = b.op("Reshape", pairs, b.constant([-1, 2]))
    backwards = b.op("Slice", pairs, *(b.constant(v) for v in ([-1], [-(2**63) + 1], [0], [-1])))
    flat = b.op("Reshape", b.op("Transpose", backwards, perm=[1, 0]), b.constant([-1]))
    pads = b.op("Cast", flat, to=TensorProto.INT64)
    shortcut = b.op("Pad", part, pads, b.constant(0.0, np.float32), mode="constant")
    x = block(x, 16, 24, 2, shortcut)
    x = b.pool("AveragePool", x, 4, 4, ceil_mode=0, count_include_pad=1)
    batch = b.op("Gather", b.op("Shape", x), b.constant(0), axis=0)
    batch = b.op("Unsqueeze", batch, b.constant([0]))
    x = b.op("Reshape", x, b.op("Concat", batch, b.constant([-1]), axis=0))
    return b.model(b.gemm(x, 24, 10))


def googlenet(seed: int = 0) -> onnx.ModelProto:
    b = Builder(3, 32, 32, opset=14, seed=seed)

    def unit(x: str, channels: int, width: int, kernel: int) -> str:
        y = b.conv(x, channels, width, kernel, pad=kernel // 2, bias=False)
        return b.relu(b.norm(y, width))

    def inception(x: str, channels: int) -> str:
        pooled = b.pool("MaxPool", x, 3, 1, 1, ceil_mode=1)
        branches = (
            unit(x, channels, 8, 1),
            unit(unit(x, channels, 4, 1), 4, 8, 3),
            unit(unit(x, channels, 4, 1), 4, 4, 3),
            unit(pooled, channels, 4, 1),
        )
        return b.op("Concat", *branches, axis=1)

    x = b.pool("MaxPool", b.relu(b.norm(b.conv("x", 3, 8, 7, 2, 3), 8)), 3, 2, ceil_mode=1)
    x = b.pool("MaxPool", inception(x, 8), 3, 2, ceil_mode=1)
    x = b.flatten(b.op("GlobalAveragePool", inception(x, 24)))
    return b.model(b.gemm(x, 24, 10))


def densenet(seed: int = 0) -> onnx.ModelProto:
    b = Builder(3, 16, 16, opset=17, seed=seed)
    x, channels = b.conv("x", 3, 8, 3, pad=1, bias=False), 8
    for last in (False, True):
        features = [x]
        for _ in range(3):
            joined = b.op("Concat", *features, axis=1)
            width = channels + 4 * (len(features) - 1)
            y = b.conv(b.relu(b.norm(joined, width)), width, 8, 1, bias=False)
            features.append(b.conv(b.relu(b.norm(y, 8)), 8, 4, 3, pad=1, bias=False))
        x, channels = b.op("Concat", *features, axis=1), channels + 12
        x = b.relu(b.norm(x, channels))
        if not last:
            x = b.pool("AveragePool", b.conv(x, channels, 10, 1, bias=False), 2, 2)
            channels = 10
    x = b.flatten(b.op("GlobalAveragePool", x))
    return b.model(b.gemm(x, channels, 10))


def squeezenet(seed: int = 0) -> onnx.ModelProto:
    b = Builder(3, 32, 32, opset=11, seed=seed)

    def fire(x: str, channels: int) -> str:
        squeezed = b.relu(b.conv(x, channels, 4, 1))
        sides = (b.relu(b.conv(squeezed, 4, 8, 1)), b.relu(b.conv(squeezed, 4, 8, 3, pad=1)))
        return b.op("Concat", *sides, axis=1)

    x = b.pool("MaxPool", b.relu(b.conv("x", 3, 16, 3, 2)), 3, 2, ceil_mode=1)
    x = b.pool("MaxPool", fire(fire(x, 16), 16), 3, 2, ceil_mode=1)
    x = b.relu(b.conv(b.op("Dropout", fire(x, 16)), 16, 10, 1, pad=1))
    return b.model(b.op("Softmax", b.flatten(b.op("GlobalAveragePool", x)), axis=1))


def mobilenet(seed: int = 0) -> onnx.ModelProto:
    """Version 2, as the newer exporter writes it."""
    b = Builder(3, 24, 24, opset=18, batch=1, seed=seed)

    def relu6(x: str) -> str:
        return b.op("Clip", x, b.constant(0.0, np.float32), b.constant(6.0, np.float32))

    def bottleneck(x: str, channels: int, width: int, stride: int) -> str:
        wide = 3 * channels
        y = relu6(b.norm(b.conv(x, channels, wide, 1, bias=False), wide))
        y = relu6(b.norm(b.conv(y, wide, wide, 3, stride, 1, groups=wide, bias=False), wide))
        y = b.norm(b.conv(y, wide, width, 1, bias=False), width)
        return b.op("Add", x, y) if (channels, stride) == (width, 1) else y

    x = relu6(b.norm(b.conv("x", 3, 8, 3, 2, 1, bias=False), 8))
    x = bottleneck(bottleneck(bottleneck(x, 8, 8, 1), 8, 12, 2), 12, 12, 1)
    x = relu6(b.norm(b.conv(x, 12, 32, 1, bias=False), 32))
    x = b.op("ReduceMean", x, b.constant([-1, -2]), keepdims=0)
    return b.model(b.gemm(x, 32, 10))


def mlp(seed: int = 0) -> onnx.ModelProto:
    """As skl2onnx writes an MLPClassifier: the labels are the first output."""
    b = Builder(64, opset=15, seed=seed)
    x = b.op("Cast", "x", to=TensorProto.FLOAT)
    for features, width in ((64, 32), (32, 16)):
        x = b.op("MatMul", x, b.random(width, features, gain=1.4).T.copy())
        x = b.relu(b.op("Add", x, b.random(1, width, gain=0.5)))
    x = b.op("Add", b.op("MatMul", x, b.random(16, 10)), b.random(1, 10))
    scores = b.op("Softmax", x, axis=1)
    best = b.op("ArgMax", scores, axis=1)
    extracted = b.op("ArrayFeatureExtractor", np.arange(10)[np.newaxis], best)
    b.nodes[-1].domain = "ai.onnx.ml"
    label = b.op("Reshape", b.op("Cast", extracted, to=TensorProto.INT64), b.constant([-1]))
    model = b.model(label, scores)
    model.graph.output[0].type.tensor_type.elem_type = TensorProto.INT64
    model.opset_import.append(helper.make_opsetid("ai.onnx.ml", 1))
    return model


def mobilenet_v3(seed: int = 0) -> onnx.ModelProto:
    """Hard swish spelled out, and gates of channels."""
    b = Builder(3, 24, 24, opset=12, seed=seed)

    def number(value: float) -> Array:
        return np.array(value, np.float32)

    def swish(x: str) -> str:
        gate = b.op("Clip", b.op("Add", x, number(3)), number(0), number(6))
        return b.op("Div", b.op("Mul", x, gate), number(6))

    def bottleneck(x: str, channels: int, width: int, stride: int) -> str:
        wide = 2 * channels
        y = swish(b.norm(b.conv(x, channels, wide, 1, bias=False), wide))
        y = swish(b.norm(b.conv(y, wide, wide, 3, stride, 1, groups=wide, bias=False), wide))
        gate = b.relu(b.conv(b.op("GlobalAveragePool", y), wide, 4, 1))
        y = b.op("Mul", y, b.op("HardSigmoid", b.conv(gate, 4, wide, 1), alpha=1 / 6, beta=0.5))
        y = b.norm(b.conv(y, wide, width, 1, bias=False), width)
        return b.op("Add", x, y) if (channels, stride) == (width, 1) else y

    x = swish(b.norm(b.conv("x", 3, 8, 3, 2, 1, bias=False), 8))
    x = bottleneck(bottleneck(x, 8, 8, 1), 8, 12, 2)
    x = b.op("GlobalAveragePool", swish(b.norm(b.conv(x, 12, 24, 1, bias=False), 24)))
    return b.model(b.gemm(b.flatten(x), 24, 10))


def keras(seed: int = 0) -> onnx.ModelProto:
    """As tf2onnx writes it: images channels-last, transposed around each layer."""
    b = Builder(16, 16, 3, opset=13, seed=seed)

    def layer(x: str, channels: int, width: int, stride: int) -> str:
        y = b.op("Transpose", x, perm=[0, 3, 1, 2])
        weights = b.random(width, channels, 3, 3, gain=1.4)
        y = b.op("Conv", y, weights, auto_pad="SAME_UPPER", strides=[stride] * 2)
        y = b.op("Transpose", y, perm=[0, 2, 3, 1])
        return b.op("Add", y, b.random(width, gain=0.2))

    x = b.op("Sub", b.op("Div", "x", np.array(0.5, np.float32)), b.random(3))
    x = b.op("LeakyRelu", layer(x, 3, 8, 2), alpha=0.2)
    y = b.relu(layer(x, 8, 8, 1))
    x = b.op("Concat", x, b.op("Elu", layer(y, 8, 8, 1)), axis=3)
    x = b.op("ReduceMean", x, axes=[1, 2], keepdims=0)
    x = b.op("Add", b.op("MatMul", x, b.random(10, 16, gain=1.4).T.copy()), b.random(10))
    return b.model(b.op("Softmax", x, axis=-1))


def transformer(seed: int = 0) -> onnx.ModelProto:
    """One block of a vision transformer on patches of an image."""
    b = Builder(3, 16, 16, opset=20, seed=seed)
    width, heads, tokens = 16, 2, 16
    each = width // heads

    def linear(x: str, features: int, outputs: int) -> str:
        product = b.op("MatMul", x, b.random(outputs, features).T.copy())
        return b.op("Add", product, b.random(outputs, gain=0.2))

    def normalized(x: str) -> str:
        scale = b.rng.uniform(0.5, 1.5, width).astype(np.float32)
        return b.op("LayerNormalization", x, scale, b.random(width, gain=0.3))

    x = b.op("Reshape", b.conv("x", 3, width, 4, 4), b.constant([0, width, tokens]))
    x = b.op("Add", b.op("Transpose", x, perm=[0, 2, 1]), b.random(1, tokens, width))
    y = linear(normalized(x), width, 3 * width)
    y = b.op("Reshape", y, b.constant([0, tokens, 3, heads, each]))
    y = b.op("Transpose", y, perm=[2, 0, 3, 1, 4])
    query, key, value = (b.op("Gather", y, b.constant(i), axis=0) for i in range(3))
    scores = b.op("MatMul", query, b.op("Transpose", key, perm=[0, 1, 3, 2]))
    weights = b.op("Softmax", b.op("Mul", scores, np.array(each**-0.5, np.float32)), axis=-1)
    y = b.op("Transpose", b.op("MatMul", weights, value), perm=[0, 2, 1, 3])
    y = b.op("Reshape", y, b.constant([0, tokens, width]))
    x = b.op("Add", x, linear(y, width, width))
    y = b.op("Gelu", linear(normalized(x), width, 2 * width))
    x = normalized(b.op("Add", x, linear(y, 2 * width, width)))
    x = b.op("ReduceMean", x, b.constant([1]), keepdims=0)
    return b.model(b.gemm(x, width, 10))


FAMILIES: dict[str, Callable[[], onnx.ModelProto]] = {
    "lenet": lenet,
    "vgg": vgg,
    "resnet": resnet,
    "googlenet": googlenet,
    "densenet": densenet,
    "squeezenet": squeezenet,
    "mobilenet": mobilenet,
    "mlp": mlp,
    "mobilenet_v3": mobilenet_v3,
    "keras": keras,
    "transformer": transformer,
}

TOLERANCE = 2e-4
"""Of the largest output: the graph's arithmetic is good to some 16 bits."""


def channels_last(array: Array) -> Array:
    """ONNX's images as the graph has them; other values as they are."""
    return array.transpose(0, 2, 3, 1) if array.ndim == 4 else array


def kinds(graph: Graph) -> list[type]:
    return [type(node.operation) for node in graph.nodes]


def number(value: float) -> Any:
    return np.array(value, np.float32)


def compare(
    model: onnx.ModelProto,
    folder: Path,
    count: int = 3,
    output_name: str | None = None,
    input_shape: Sequence[int] | None = None,
) -> Graph:
    """Import ``model`` and compare its outputs with onnxruntime's; returns the graph."""
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    graph = import_onnx(path, output_name, input_shape)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    content = reference_model(path, output_name, input_shape)
    session = onnxruntime.InferenceSession(content, options, ["CPUExecutionProvider"])
    given = session.get_inputs()[0]
    batch = given.shape[0] if isinstance(given.shape[0], int) else count
    shape: Sequence[int] = (batch, *given.shape[1:])
    images = np.random.default_rng(7).normal(size=shape).astype(np.float32)
    output = next(o.name for o in session.get_outputs() if o.type == "tensor(float)")
    expected = channels_last(session.run([output], {given.name: images})[0])
    measured = graph.forward(channels_last(images))
    if _ends_in("Softmax", model, output):
        measured = np.exp(measured - measured.max(axis=1, keepdims=True))
        measured /= measured.sum(axis=1, keepdims=True)
    if _ends_in("Sigmoid", model, output):
        measured = 1 / (1 + np.exp(-measured))
    assert measured.shape == expected.shape
    np.testing.assert_allclose(measured, expected, rtol=0, atol=TOLERANCE * np.abs(expected).max())
    assert graph.shapes[graph.output] == expected.shape[1:]
    return graph


def _ends_in(operator: str, model: onnx.ModelProto, output: str) -> bool:
    return any(node.op_type == operator and output in node.output for node in model.graph.node)
