"""The trained network as an ONNX file."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from onnx import NodeProto, TensorProto, helper, numpy_helper

from networks.graph.lowering import Shape
from networks.samples.mnist.layers import Conv, Layer, MaxPool, Parameters

OPSET = 17
IR_VERSION = 8
"""The first that has operator set 17."""


def onnx_file(
    input_shape: Shape, layers: Sequence[Layer], parameters: Mapping[str, Parameters]
) -> bytes:
    """The bytes of an ONNX model of ``layers``, the same for the same float32 ``parameters``.

    It takes ``images`` (N, C, H, W), float32 from 0 to 1 and each of ``input_shape`` (H, W, C), and
    gives logits. Nodes, and the values they make, have the names of their layers.
    """
    nodes: list[NodeProto] = []
    weights: list[TensorProto] = []
    value = "images"
    shape = input_shape

    def add(operator: str, name: str, *inputs: str, **attributes: Any) -> None:
        nonlocal value
        nodes.append(helper.make_node(operator, [value, *inputs], [name], name, **attributes))
        value = name

    for layer in layers:
        if isinstance(layer, MaxPool):
            side = [layer.size, layer.size]
            add("MaxPool", layer.name, kernel_shape=side, strides=side)
            shape = layer.output_shape(shape)
            continue
        matrix, bias = parameters[layer.name]
        image = (layer.kernel, layer.kernel, shape[2]) if isinstance(layer, Conv) else shape
        # ONNX has channels before rows and columns, here in each column of the matrix.
        kernels = matrix.reshape(*image, layer.width).transpose(3, 2, 0, 1)
        names = [f"{layer.name}.weight", f"{layer.name}.bias"]
        if isinstance(layer, Conv):
            step, margin = [layer.stride] * 2, [layer.padding] * 4
            add("Conv", layer.name, *names, strides=step, pads=margin)
            add("Relu", f"{layer.name}_relu")
        else:
            kernels = kernels.reshape(layer.width, layer.depth)
            add("Flatten", f"{layer.name}_input")
            add("Gemm", layer.name, *names, transB=1)
        weights += [
            numpy_helper.from_array(np.ascontiguousarray(array), name)
            for array, name in zip((kernels, bias), names, strict=True)
        ]
        shape = layer.output_shape(shape)

    rows, columns, channels = input_shape
    images = helper.make_tensor_value_info(
        "images", TensorProto.FLOAT, ["N", channels, rows, columns]
    )
    logits = helper.make_tensor_value_info(value, TensorProto.FLOAT, ["N", *shape])
    graph = helper.make_graph(nodes, "mnist", [images], [logits], weights)
    model = helper.make_model(
        graph,
        producer_name="sparq",
        ir_version=IR_VERSION,
        opset_imports=[helper.make_opsetid("", OPSET)],
    )
    content: bytes = model.SerializeToString(deterministic=True)
    return content
