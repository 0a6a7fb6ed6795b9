"""What an ONNX file says: its opset, its input, its weights, and the nodes behind its output."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from networks.graph.lowering import Array, Shape

OLDEST_OPSET = 11
NEWEST_OPSET = onnx.defs.onnx_opset_version()

MOST_ELEMENTS = 2**28
"""Elements that a value may have, per image."""
MOST_WEIGHTS = 2**30
"""Elements that a tensor of weights may have."""

_LARGEST_FILE = 2**31
"""Bytes; no protobuf is larger."""

FLOATS = (
    onnx.TensorProto.FLOAT,
    onnx.TensorProto.DOUBLE,
    onnx.TensorProto.FLOAT16,
    onnx.TensorProto.BFLOAT16,
)


@dataclass(frozen=True)
class Input:
    """The images: a name, the number of images if it is fixed, and the shape of one, as in ONNX."""

    name: str
    batch: int | None
    shape: Shape


def read_model(path: Path) -> onnx.ModelProto:
    """The model in the file ``path``; ``ValueError`` if there is none."""
    try:
        size = path.stat().st_size
        data = path.read_bytes() if size < _LARGEST_FILE else None
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from error
    if data is None:
        raise ValueError(f"{size} bytes are more than an ONNX model can have")
    model = onnx.ModelProto()
    try:
        model.ParseFromString(data)
    except Exception:  # protobuf's own, which has no types
        raise ValueError("not an ONNX model, or a damaged one") from None
    if not model.graph.node and not model.graph.output:
        raise ValueError("not an ONNX model: there is no graph in it")
    return model


def operator_set(model: onnx.ModelProto) -> int:
    """The version of ONNX's operators that ``model`` uses."""
    versions: list[int] = [
        entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")
    ]
    if len(versions) != 1:
        raise ValueError("it does not say which operator set it uses")
    if not OLDEST_OPSET <= versions[0] <= NEWEST_OPSET:
        raise ValueError(
            f"operator set {versions[0]} is not supported: export with {OLDEST_OPSET} to "
            f"{NEWEST_OPSET}"
        )
    return versions[0]


def require_text(name: str) -> None:
    """Raise ``ValueError`` unless ``name`` is text: of a damaged file, protobuf gives out bytes."""
    if not isinstance(name, str):
        raise ValueError(f"the name {name!r} is not text")


def model_input(graph: onnx.GraphProto) -> Input:
    """The first input of ``graph`` that is not a weight."""
    weights = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in weights]
    if not inputs:
        raise ValueError("it has no input")
    name, tensor = inputs[0].name, inputs[0].type.tensor_type
    require_text(name)
    if tensor.elem_type not in FLOATS:
        raise ValueError(f"input {name!r} is not a tensor of floats")
    if not tensor.HasField("shape") or not tensor.shape.dim:
        raise ValueError(f"input {name!r} must have a shape, the batch first")
    sizes = [dim.dim_value for dim in tensor.shape.dim]
    if any(size < 1 for size in sizes[1:]):
        shown = ", ".join(
            str(dim.dim_value) if dim.HasField("dim_value") else dim.dim_param or "?"
            for dim in tensor.shape.dim
        )
        raise ValueError(
            f"input {name!r} has the shape ({shown}): all dimensions but the first must be known"
        )
    if math.prod(sizes[1:]) > MOST_ELEMENTS:
        raise ValueError(f"input {name!r} has {math.prod(sizes[1:])} elements: too many")
    return Input(name, sizes[0] if sizes[0] >= 1 else None, tuple(sizes[1:]))


def model_output(graph: onnx.GraphProto) -> str:
    """The first output of ``graph`` that is a tensor of floats.

    Or else the tensor that becomes a list of dictionaries, as scikit-learn's converter writes it.
    """
    for value in graph.output:
        if value.type.tensor_type.elem_type in FLOATS:
            return str(value.name)
    outputs = {value.name for value in graph.output}
    for node in graph.node:
        if node.op_type == "ZipMap" and node.input and outputs.intersection(node.output):
            return str(node.input[0])
    raise ValueError("no output is a tensor of floats")


def nodes_behind(graph: onnx.GraphProto, output: str) -> list[onnx.NodeProto]:
    """The nodes of ``graph`` that ``output`` depends on, in its order."""
    needed, kept = {output}, []
    for node in reversed(graph.node):
        if needed.intersection(node.output):
            needed.update(node.input)
            kept.append(node)
    return kept[::-1]


def tensor_array(tensor: onnx.TensorProto, folder: Path) -> Array:
    """``tensor`` as an array; data outside the model's file is looked for in ``folder``."""
    elements = math.prod(tensor.dims)
    if any(size < 0 for size in tensor.dims) or elements > MOST_WEIGHTS:
        raise ValueError(f"tensor {tensor.name!r} has the shape {tuple(tensor.dims)}: too large")
    if tensor.data_location == onnx.TensorProto.EXTERNAL:
        entries = {entry.key: entry.value for entry in tensor.external_data}
        location = entries.get("location", "")
        if not (folder / location).exists():
            raise ValueError(
                f"the file {location!r} with the data of tensor {tensor.name!r} is missing; "
                "it must lie beside the model"
            )
    try:
        array = numpy_helper.to_array(tensor, str(folder))
    except Exception as error:
        raise ValueError(f"tensor {tensor.name!r} is damaged: {error}") from error
    return np.asarray(array)
