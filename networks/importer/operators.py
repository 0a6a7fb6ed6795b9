"""A converter for each ONNX operator, from a node in ONNX's terms to nodes of the graph."""

from collections.abc import Callable
from dataclasses import replace

import onnx

from networks.importer import conditions, elementwise, layers, movement, pools
from networks.importer.context import Context, Value
from networks.importer.model_file import FLOATS, INTEGERS
from networks.importer.resize import resize


def dropout(node: Context) -> Value:
    """Dropout, which does nothing in inference."""
    if node.has(2) and node.constant(2).any():
        raise ValueError("the model must be exported for inference, not for training")
    return identity(node)


def cast(node: Context) -> Value:
    """Cast between floats, which are all computed alike; of a mask of integers; to conditions."""
    to = node.attribute("to", 0)
    x = identity(node)
    if x.integers and to in INTEGERS:
        return x
    if to == onnx.TensorProto.BOOL:
        return conditions.non_zero(node)
    if to not in FLOATS:
        raise ValueError(f"a cast to {onnx.TensorProto.DataType.Name(to)} is not supported")
    return replace(x, integers=False)


def identity(node: Context) -> Value:
    """The input as it is."""
    return node.value(moved=True)


def quantized(node: Context) -> Value:
    """Operators of a model that is quantized already."""
    raise ValueError("the model is already quantized: give the float model")


OPERATORS: dict[str, Callable[[Context], Value | list[Value]]] = {
    "Abs": elementwise.function("absolute"),
    "Add": elementwise.add,
    "AveragePool": pools.average_pool,
    "BatchNormalization": layers.batch_normalization,
    "Cast": cast,
    "Ceil": elementwise.function("ceil"),
    "Celu": elementwise.celu,
    "Clip": elementwise.clip,
    "Concat": movement.concat,
    "Conv": layers.convolution,
    "ConvTranspose": layers.transposed_convolution,
    "DepthToSpace": movement.depth_to_space,
    "Div": elementwise.divide,
    "Dropout": dropout,
    "Elu": elementwise.elu,
    "Equal": conditions.equal,
    "Erf": elementwise.function("erf"),
    "Exp": elementwise.function("exp"),
    "Expand": movement.expand,
    "Flatten": movement.flatten,
    "Floor": elementwise.function("floor"),
    "Gather": movement.gather,
    "Gelu": elementwise.gelu,
    "Gemm": layers.gemm,
    "GlobalAveragePool": pools.global_average_pool,
    "GlobalMaxPool": pools.global_max_pool,
    "HardSigmoid": elementwise.hard_sigmoid,
    "HardSwish": elementwise.hard_swish,
    "Identity": identity,
    "InstanceNormalization": layers.instance_normalization,
    "LRN": pools.local_response_normalization,
    "LayerNormalization": layers.layer_normalization,
    "LeakyRelu": elementwise.leaky_relu,
    "Log": elementwise.function("log"),
    "LogSoftmax": layers.log_softmax,
    "MatMul": layers.matrix_product,
    "Max": elementwise.largest,
    "MaxPool": pools.max_pool,
    "Mean": elementwise.mean_of_many,
    "Min": elementwise.smallest,
    "Mish": elementwise.mish,
    "Mul": elementwise.multiply,
    "Neg": elementwise.negative,
    "Not": conditions.logical_not,
    "PRelu": elementwise.parametric_relu,
    "Pad": movement.pad,
    "Pow": elementwise.power,
    "Reciprocal": elementwise.reciprocal,
    "ReduceL2": pools.reduce_norm,
    "ReduceMax": pools.reduce_max,
    "ReduceMean": pools.reduce_mean,
    "ReduceMin": pools.reduce_min,
    "ReduceSum": pools.reduce_sum,
    "ReduceSumSquare": pools.reduce_sum_of_squares,
    "Relu": elementwise.relu,
    "Reshape": movement.reshape,
    "Resize": resize,
    "Round": elementwise.function("rint"),
    "Selu": elementwise.selu,
    "Sigmoid": elementwise.function("sigmoid"),
    "Sign": elementwise.function("sign"),
    "Slice": movement.slice_,
    "Softmax": layers.softmax,
    "Softplus": elementwise.function("softplus"),
    "Softsign": elementwise.softsign,
    "SpaceToDepth": movement.space_to_depth,
    "Split": movement.split,
    "Sqrt": elementwise.function("sqrt"),
    "Squeeze": movement.squeeze,
    "Sub": elementwise.subtract,
    "Sum": elementwise.sum_of_many,
    "Swish": elementwise.swish,
    "Tanh": elementwise.function("tanh"),
    "ThresholdedRelu": elementwise.thresholded_relu,
    "Transpose": movement.transpose,
    "Unsqueeze": movement.unsqueeze,
    "Upsample": resize,
    "Where": conditions.where,
}
"""The operators that may depend on the image."""

QUANTIZED = (
    "ConvInteger",
    "DequantizeLinear",
    "DynamicQuantizeLinear",
    "MatMulInteger",
    "QLinearConv",
    "QLinearMatMul",
    "QuantizeLinear",
)
"""The operators of a model that is quantized already."""
