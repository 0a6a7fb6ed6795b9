"""What an ONNX file says: its opset, its input, its weights, and the nodes behind its output."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper, version_converter

from networks.graph.lowering import Array, Shape
from networks.importer.errors import ModelError

OLDEST_OPSET = 7
OLDEST_KNOWN = 11
"""Older operators are converted to those of this operator set."""
NEWEST_OPSET = onnx.defs.onnx_opset_version()

MOST_ELEMENTS = 2**28
"""Elements that a value may have, per image."""
MOST_WEIGHTS = 2**30
"""Elements that a tensor of weights may have."""

_LARGEST_FILE = 2**31
"""Bytes; no protobuf is larger."""

_ELEMENT_BY_ELEMENT = ("Add", "Cast", "Div", "Identity", "Mul", "Sub")
"""What images may go through before they are transposed."""

FLOATS = (
    onnx.TensorProto.FLOAT,
    onnx.TensorProto.DOUBLE,
    onnx.TensorProto.FLOAT16,
    onnx.TensorProto.BFLOAT16,
)

INTEGERS = (onnx.TensorProto.INT32, onnx.TensorProto.INT64)
"""Of tokens and masks."""


@dataclass(frozen=True)
class Input:
    """The images: a name, the number of images if it is fixed, and the shape of one, as in ONNX.

    Or inputs of integers, of one shape (length,) each: these are ``tokens``, in the order of the
    model, and ``shape`` is (inputs, length).
    """

    name: str
    batch: int | None
    shape: Shape
    tokens: tuple[str, ...] = ()


def read_model(path: Path) -> onnx.ModelProto:
    """The model in the file ``path``; ``ValueError`` if there is none, and ``ModelError`` if the
    file cannot be read.
    """
    try:
        size = path.stat().st_size
        data = path.read_bytes() if size < _LARGEST_FILE else None
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror}") from None
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


def with_known_operators(model: onnx.ModelProto) -> onnx.ModelProto:
    """``model`` with the operators of an operator set from ``OLDEST_KNOWN`` on."""
    opset = operator_set(model)
    if opset >= OLDEST_KNOWN:
        return model
    try:
        return version_converter.convert_version(model, OLDEST_KNOWN)
    except Exception as error:
        reason = " ".join(str(error).split())
        raise ValueError(
            f"operator set {opset} cannot be converted to {OLDEST_KNOWN}: export with "
            f"{OLDEST_KNOWN} to {NEWEST_OPSET} ({reason})"
        ) from None


def require_text(name: str) -> None:
    """Raise ``ValueError`` unless ``name`` is text: of a damaged file, protobuf gives out bytes."""
    if not isinstance(name, str):
        raise ValueError(f"the name {name!r} is not text")


def model_input(
    graph: onnx.GraphProto, nodes: Sequence[onnx.NodeProto], shape: Sequence[int] | None
) -> Input:
    """The input of ``graph``, not a weight, that its ``nodes`` take.

    ``shape``, with the batch, is that of the input where it leaves sizes open.
    """
    weights = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in weights]
    if not inputs:
        raise ValueError("it has no input")
    for value in inputs:
        require_text(value.name)
    taken = {name for node in nodes for name in node.input}
    needed = [value for value in inputs if value.name in taken] or inputs[:1]
    if all(value.type.tensor_type.elem_type in INTEGERS for value in needed):
        sources = [_input(value, shape) for value in needed]
        return _tokens(sources)
    if len(needed) > 1:
        shown = ", ".join(repr(value.name) for value in needed)
        raise ValueError(f"it must take one input, or several of integers, not {shown}")
    if needed[0].type.tensor_type.elem_type not in FLOATS:
        raise ValueError(f"input {needed[0].name!r} is not a tensor of floats, or of integers")
    return _input(needed[0], shape)


def open_tokens(model: onnx.ModelProto, output_name: str | None) -> tuple[str, ...]:
    """The names of the inputs of integers behind an output, (N, length) of any length.

    None if it takes images, or sequences of a fixed length.
    """
    nodes = nodes_behind(model.graph, model_output(model.graph, output_name))
    taken = {name for node in nodes for name in node.input}
    weights = {tensor.name for tensor in model.graph.initializer}
    needed = [v for v in model.graph.input if v.name in taken and v.name not in weights]
    for value in needed:
        tensor = value.type.tensor_type
        dims = tensor.shape.dim
        if tensor.elem_type not in INTEGERS or len(dims) != 2 or dims[1].dim_value >= 1:
            return ()
    return tuple(value.name for value in needed)


def _tokens(sources: Sequence[Input]) -> Input:
    """Inputs of integers as one."""
    for source in sources:
        if len(source.shape) != 1:
            shown = ", ".join(map(str, ("N", *source.shape)))
            raise ValueError(
                f"input {source.name!r} of integers must have the shape (N, length), not ({shown})"
            )
    if len({(source.batch, source.shape) for source in sources}) > 1:
        shown = ", ".join(repr(source.name) for source in sources)
        raise ValueError(f"the inputs {shown} must have one shape")
    names = tuple(source.name for source in sources)
    return Input("+".join(names), sources[0].batch, (len(names), *sources[0].shape), names)


def _input(value: onnx.ValueInfoProto, shape: Sequence[int] | None) -> Input:
    name, tensor = value.name, value.type.tensor_type
    if not tensor.HasField("shape") or not tensor.shape.dim:
        raise ValueError(f"input {name!r} must have a shape, the batch first")
    sizes = [dim.dim_value for dim in tensor.shape.dim]
    shown = ", ".join(
        str(dim.dim_value) if dim.HasField("dim_value") else dim.dim_param or "?"
        for dim in tensor.shape.dim
    )
    if shape is not None:
        fits = len(shape) == len(sizes) and all(
            given >= 1 and (given == size or size < 1)
            for given, size in zip(shape, sizes, strict=True)
        )
        if not fits:
            raise ValueError(f"the shape {tuple(shape)} does not fit input {name!r}, of ({shown})")
        # The batch stays open.
        sizes[1:] = shape[1:]
    if any(size < 1 for size in sizes[1:]):
        raise ValueError(
            f"input {name!r} has the shape ({shown}): all dimensions but the first must be known, "
            "or given by --input-shape"
        )
    if math.prod(sizes[1:]) > MOST_ELEMENTS:
        raise ValueError(f"input {name!r} has {math.prod(sizes[1:])} elements: too many")
    return Input(name, sizes[0] if sizes[0] >= 1 else None, tuple(sizes[1:]))


def model_output(graph: onnx.GraphProto, name: str | None = None) -> str:
    """The output of ``graph`` called ``name``, or else the first that is a tensor of floats.

    Or else the tensor that becomes a list of dictionaries, as scikit-learn's converter writes it.
    """
    if name is not None:
        names = [str(value.name) for value in graph.output]
        if name not in names:
            raise ValueError(f"the output must be one of {', '.join(names)}, not {name}")
        return name
    for value in graph.output:
        if value.type.tensor_type.elem_type in FLOATS:
            return str(value.name)
    outputs = {value.name for value in graph.output}
    for node in graph.node:
        if node.op_type == "ZipMap" and node.input and outputs.intersection(node.output):
            return str(node.input[0])
    raise ValueError("no output is a tensor of floats")


def takes_channels_last(nodes: Sequence[onnx.NodeProto], source: str, rank: int) -> bool:
    """Whether the images called ``source`` come channels-last.

    They do if they are brought into ONNX's order before anything else but what works element by
    element; ``rank`` is that of an image.
    """
    images = {source} if rank == 3 else set()
    for node in nodes:
        if images.intersection(node.input):
            if node.op_type == "Transpose":
                return any(list(entry.ints) == [0, 3, 1, 2] for entry in node.attribute)
            if node.op_type in _ELEMENT_BY_ELEMENT:
                images.update(node.output)
    return False


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
