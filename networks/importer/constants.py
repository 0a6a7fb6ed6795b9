"""The parts of a graph that do not depend on the image, computed at import."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper
from onnx.reference import ReferenceEvaluator

from networks.graph.lowering import Array
from networks.importer.model_file import tensor_array

MOST_GROWTH = 2**24
"""Elements that a constant computed from smaller ones may have."""


def constant(attributes: dict[str, Any], folder: Path) -> Array:
    """The value of an ONNX Constant."""
    [(name, value)] = attributes.items()
    if name == "value":
        return tensor_array(value, folder)
    if name in ("value_int", "value_ints"):
        return np.array(value, np.int64)
    if name in ("value_float", "value_floats"):
        return np.array(value, np.float32)
    raise ValueError(f"the attribute {name} is not supported")


def _broadcast(*inputs: Array) -> int:
    return math.prod(np.broadcast_shapes(*(array.shape for array in inputs)))


def _range(start: Array, limit: Array, delta: Array) -> int:
    return max(0, math.ceil((float(limit) - float(start)) / float(delta)))


def _same(*inputs: Array) -> int:
    return inputs[0].size


def _multiplied(first: Array, second: Array) -> int:
    rows = first.size // max([1, *first.shape[-1:]])
    return int(rows * (second.size // max([1, *second.shape[-2:-1]])))


def _joined(*inputs: Array) -> int:
    return sum(array.size for array in inputs)


def _gathered(values: Array, indices: Array) -> int:
    return values.size * indices.size


def _expanded(values: Array, shape: Array) -> int:
    return math.prod(np.broadcast_shapes(values.shape, tuple(int(size) for size in shape)))


def _tiled(values: Array, repeats: Array) -> int:
    return values.size * _elements(repeats)


def _elements(shape: Array) -> int:
    return math.prod(max(1, abs(int(size))) for size in shape.ravel())


def _padded(values: Array, pads: Array, *_: Array) -> int:
    # At least the size of the result, whichever axes the amounts are for.
    most = sum(abs(int(amount)) for amount in pads.ravel())
    return math.prod(size + most for size in values.shape)


_SIZES: dict[str, Callable[..., int]] = {
    **dict.fromkeys(("Add", "Sub", "Mul", "Div", "Mod", "Pow", "Max", "Min"), _broadcast),
    **dict.fromkeys(("Equal", "Greater", "Less", "And", "Or", "Where"), _broadcast),
    **dict.fromkeys(("Abs", "Cast", "Ceil", "Clip", "Exp", "Floor", "Identity"), _same),
    **dict.fromkeys(("Log", "Neg", "Not", "Reciprocal", "Relu", "Sigmoid", "Sqrt", "Tanh"), _same),
    **dict.fromkeys(("DequantizeLinear", "Flatten", "Reshape", "Shape", "Size", "Slice"), _same),
    **dict.fromkeys(("Squeeze", "Transpose", "Unsqueeze"), _same),
    **dict.fromkeys(("ReduceL1", "ReduceL2", "ReduceMax", "ReduceMean", "ReduceMin"), _same),
    **dict.fromkeys(("ReduceProd", "ReduceSum", "ReduceSumSquare"), _same),
    "Concat": _joined,
    "ConstantOfShape": _elements,
    "Expand": _expanded,
    "Gather": _gathered,
    "MatMul": _multiplied,
    "Pad": _padded,
    "Range": _range,
    "Tile": _tiled,
}
"""An upper limit of the elements of each foldable operator's result."""


_EVALUATED_FROM = {"DequantizeLinear": 19}
"""The first operator set of an operator that ONNX can evaluate; the older ones mean the same."""


def foldable(node: onnx.NodeProto) -> bool:
    """Whether :func:`fold` knows the operator of ``node``."""
    return node.domain in ("", "ai.onnx") and node.op_type in _SIZES and len(node.output) == 1


def fold(node: onnx.NodeProto, inputs: Sequence[Array | None], opset: int) -> Array:
    """The output of ``node`` for constant ``inputs``, None where one is left out.

    ``ValueError`` if it is much larger than they are: a damaged file may ask for any amount of
    memory, so that is estimated first.
    """
    present = [array for array in inputs if array is not None]
    size = _SIZES[node.op_type](*present)
    if size > max([MOST_GROWTH, *(array.size for array in present)]):
        raise ValueError(f"a constant of up to {size} elements is too large")
    # Inputs get names of their own: one may be given twice, and any may be left out.
    names = ["" if array is None else f"input{i}" for i, array in enumerate(inputs)]
    single = helper.make_node(node.op_type, names, ["output"])
    single.attribute.extend(node.attribute)
    values = [helper.make_empty_tensor_value_info(name) for name in names if name]
    opset = max(opset, _EVALUATED_FROM.get(node.op_type, 0))
    graph = helper.make_graph(
        [single], "constant", values, [helper.make_empty_tensor_value_info("output")]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    given = {name: array for name, array in zip(names, inputs, strict=True) if array is not None}
    results: Any = ReferenceEvaluator(model).run(None, given)
    return np.asarray(results[0])
