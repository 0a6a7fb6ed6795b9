"""From an ONNX file to a graph."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper
from onnx.external_data_helper import load_external_data_for_model

from networks.graph.attention import Softmax
from networks.graph.graph import Graph, Node
from networks.graph.lowering import Array, Shape
from networks.graph.movement import Take
from networks.graph.operations import BatchNormalization
from networks.importer.constants import constant, fold, foldable
from networks.importer.context import Context, Value, usual
from networks.importer.errors import ModelError
from networks.importer.fusion import as_ranking, fuse, live_nodes
from networks.importer.layers import normalized
from networks.importer.masks import masked
from networks.importer.model_file import (
    Input,
    model_input,
    model_output,
    nodes_behind,
    open_tokens,
    operator_set,
    read_model,
    require_text,
    takes_channels_last,
    tensor_array,
    with_known_operators,
)
from networks.importer.normalization import spelled_out
from networks.importer.operators import OPERATORS, QUANTIZED, quantized
from networks.importer.pools import logarithm_of_softmax


def import_onnx(
    path: Path,
    output_name: str | None = None,
    input_shape: Sequence[int] | None = None,
    whole: bool = False,
) -> Graph:
    """The network in the ONNX file ``path``, images channels-last; ``ModelError`` if it has none.

    Supported are the operators in ``OPERATORS`` and whatever depends on constants and shapes only,
    in the operator sets from 7 on. Batch normalizations, constants and limits are part of the layer
    before them where they can be; what works element by element on one value is one function. The
    output is the first of floats, or the one called ``output_name``; a softmax or a sigmoid that
    makes it is left out, since it does not change the ranking (``Graph.ranking``), unless the
    ``whole`` model is asked for.
    ``input_shape``, with the batch, is that of the input where the model leaves sizes open.
    """
    importer = _Importer(path)
    with _one_line(path, importer), np.errstate(all="ignore"):
        return importer.run(output_name, input_shape, whole)


def reference_model(
    path: Path, output_name: str | None = None, input_shape: Sequence[int] | None = None
) -> bytes:
    """The ONNX file ``path`` as one file for other tools, with what is imported alone.

    That is one output, and the inputs that it needs; images of a model that takes them
    channels-last come channels-first. Data that lie beside the file are part of it. Arguments and
    errors as of :func:`import_onnx`.
    """
    with _one_line(path, None):
        model = read_model(path)
        graph = model.graph
        output = model_output(graph, output_name)
        known = [value for value in graph.output if value.name == output]
        nodes = nodes_behind(graph, output)
        source = model_input(graph, nodes, input_shape)
        used = {name for node in nodes for name in node.input}
        names = source.tokens or (source.name,)
        unused = [value for value in graph.input if value.name not in used.union(names)]
        for value in unused:
            graph.input.remove(value)
        del graph.node[:], graph.output[:]
        graph.node.extend(nodes)
        float_tensor = helper.make_tensor_value_info(output, onnx.TensorProto.FLOAT, None)
        graph.output.extend(known or [float_tensor])
        given = [value for value in graph.input if value.name in names]
        sizes = source.shape[-1:] if source.tokens else source.shape
        for value in given:
            for dim, size in zip(value.type.tensor_type.shape.dim[1:], sizes, strict=True):
                dim.dim_value = size
        if takes_channels_last(nodes, source.name, len(source.shape)):
            _take_channels_first(graph, given[0])
        load_external_data_for_model(model, str(path.parent))
        return bytes(model.SerializeToString())


def open_token_inputs(path: Path, output_name: str | None = None) -> tuple[str, ...]:
    """The names of the inputs that are sequences of integers, of a length that is left open.

    Errors as of :func:`import_onnx`.
    """
    with _one_line(path, None):
        return open_tokens(read_model(path), output_name)


def _take_channels_first(graph: onnx.GraphProto, given: onnx.ValueInfoProto) -> None:
    """Let ``graph`` take the images ``given`` channels-first, and transpose them."""
    source, shape = given.name, given.type.tensor_type.shape
    given.name = f"{source}/channels_first"
    rows, columns, channels = (dim.dim_value for dim in shape.dim[1:])
    del shape.dim[1:]
    for size in (channels, rows, columns):
        shape.dim.add().dim_value = size
    name = f"{source}/transpose"
    transpose = helper.make_node("Transpose", [given.name], [source], name, perm=[0, 2, 3, 1])
    graph.node.insert(0, transpose)


@contextmanager
def _one_line(path: Path, importer: "_Importer | None") -> Iterator[None]:
    """Whatever goes wrong, as one line that names file and node."""
    try:
        yield
    except ModelError:
        raise
    except Exception as error:
        # A damaged file can break any assumption, in here as in the libraries that read it.
        reason = str(error) if type(error) is ValueError else f"{type(error).__name__}: {error}"
        place = "" if importer is None else importer.place
        line = " ".join(f"{path.name}: {place}{reason}".split())
        raise ModelError(line) from error


class _Importer:
    """The state of one import; ``place`` says which node it is at."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.place = ""
        self.nodes: list[Node] = []
        self.batch_norms: dict[str, BatchNormalization] = {}
        self.values: dict[str, Value | Array | onnx.TensorProto] = {}
        self.names: set[str] = set()
        self.producers: dict[str, onnx.NodeProto] = {}

    def run(self, output_name: str | None, input_shape: Sequence[int] | None, whole: bool) -> Graph:
        model = read_model(self.path)
        output = model_output(model.graph, output_name)
        model = with_known_operators(model)
        self.opset = operator_set(model)
        nodes = nodes_behind(model.graph, output)
        source = model_input(model.graph, nodes, input_shape)
        self.batch = source.batch
        rank = len(source.shape)
        order = usual(rank)
        if takes_channels_last(nodes, source.name, rank):
            order = tuple(range(rank))
        image = tuple(source.shape[order.index(axis)] for axis in range(rank))
        self.values.update((tensor.name, tensor) for tensor in model.graph.initializer)
        self.values[source.name] = Value(source.name, image, order, integers=bool(source.tokens))
        self.values.update(self.sequences(source))
        for node in nodes:
            self.place = f"node {_name(node)!r} ({_operator(node)}): "
            self.convert(node)
            self.producers.update(dict.fromkeys(node.output, node))
        self.place = ""
        result = self.values.get(output)
        if not isinstance(result, Value):
            raise ValueError(f"the output {output!r} does not depend on the input")
        return self.graph(source, image, self.as_usual(result), whole)

    def sequences(self, source: Input) -> dict[str, Value]:
        """The inputs of integers, each a row of ``source``."""
        whole = Value(source.name, source.shape, (0, 1), integers=True)
        found = {}
        for index, name in enumerate(source.tokens):
            context = Context(
                name, [name], self.opset, self.batch, {}, [], self.nodes, self.batch_norms
            )
            row = context.emit(Take(1, (index,)), whole, part="/row")
            found[name] = context.rearrange(row, (0, 1), source.shape[1:], (0,), (0,))
        return found

    def as_usual(self, result: Value) -> Value:
        """The output ``result``, stored as a graph gives it."""
        name = f"{result.name}/output"
        if result.batch:
            raise ValueError("the batch must be the first axis of the output")
        context = Context(name, [name], self.opset, self.batch, {}, [], self.nodes, {})
        return context.arranged(result, usual(len(result.order)), part="")

    def graph(self, source: Input, image: Shape, result: Value, whole: bool) -> Graph:
        """What ``result`` depends on, as a graph."""
        nodes = live_nodes(self.nodes, result.name)
        if any(len({getattr(n, name) for n in nodes}) < len(nodes) for name in ("name", "output")):
            raise ValueError("nodes, or values, have the same name")
        shapes = Graph(source.name, image, tuple(nodes), result.name).shapes
        fused = fuse(nodes, shapes, self.batch_norms, result.name)
        if source.tokens:
            fused = masked(fused, source.name, shapes, result.name)
        kept, output, ranking = fused, result.name, False
        if not whole:
            kept, output, ranking = as_ranking(fused, result.name)
        graph = Graph(source.name, image, kept, output, ranking, source.tokens)
        return replace(graph, nodes=self.with_logarithms(graph))

    def with_logarithms(self, graph: Graph) -> tuple[Node, ...]:
        """The nodes of ``graph``, of which a LogSoftmax, not left out at the end, is several."""
        nodes: list[Node] = []
        for node in graph.nodes:
            if not (isinstance(node.operation, Softmax) and node.operation.logarithm):
                nodes.append(node)
                continue
            self.place = f"node {node.name!r} (LogSoftmax): "
            context = Context(node.name, [node.output], self.opset, self.batch, {}, [], nodes, {})
            stored = graph.shapes[node.inputs[0]]
            x = Value(node.inputs[0], stored, tuple(range(len(stored))))
            logarithm_of_softmax(context, x, node.clip)
        self.place = ""
        return tuple(nodes)

    def convert(self, node: onnx.NodeProto) -> None:
        """Add what ``node`` makes to the values, and to the nodes where it needs some."""
        for name in (node.name, *node.input, *node.output):
            require_text(name)
        for name in node.output:
            if name in self.values:
                raise ValueError(f"the value {name!r} is made twice")
        inputs = [self.look_up(name) if name else None for name in node.input]
        attributes = {entry.name: helper.get_attribute_value(entry) for entry in node.attribute}
        results = self.results(node, inputs, attributes)
        self.values.update(zip(node.output, results, strict=False))

    def results(
        self,
        node: onnx.NodeProto,
        inputs: list[Value | Array | None],
        attributes: dict[str, Any],
    ) -> Sequence[Value | Array]:
        """The outputs of ``node``, but for masks and indices, which nothing here takes."""
        name = _operator(node)
        if name == "Constant":
            return [constant(attributes, self.path.parent)]
        if name == "Shape" and isinstance(inputs[0], Value):
            # Of the values that depend on the image, the shapes do not.
            shape = np.array(self.shape_of(inputs[0]), np.int64)
            return [shape[attributes.get("start", 0) : attributes.get("end", len(shape))]]
        constants = [array for array in inputs if not isinstance(array, Value)]
        if foldable(node) and len(constants) == len(inputs):
            return [fold(node, constants, self.opset)]
        operator = quantized if name in QUANTIZED else OPERATORS.get(name)
        if operator is None:
            raise ValueError(
                f"this operator is not supported; supported are {', '.join(sorted(OPERATORS))}"
            )
        spelled = None
        if name == "Div":
            spelled = spelled_out(node, self.producers, self.constant)
        context = Context(
            self.unique(_name(node)),
            node.output,
            self.opset,
            self.batch,
            attributes,
            inputs,
            self.nodes,
            self.batch_norms,
        )
        if spelled is not None:
            x = self.look_up(spelled.value)
            if isinstance(x, Value) and x.batch == 0:
                axis = context.axis(spelled.axis, x)
                return [normalized(context, x, axis, spelled.epsilon)]
        results = operator(context)
        return [results] if isinstance(results, Value) else results

    def constant(self, name: str) -> Array | None:
        """The constant called ``name``, if it is one."""
        value = self.look_up(name) if name in self.values else None
        return None if isinstance(value, Value) else value

    def shape_of(self, x: Value) -> tuple[int, ...]:
        """The shape of ``x`` in ONNX, with the batch."""
        return (*x.shape[: x.batch], self.batch or 1, *x.shape[x.batch :])

    def look_up(self, name: str) -> Value | Array:
        """The value or the constant called ``name``."""
        value = self.values.get(name)
        if value is None:
            raise ValueError(f"its input {name!r} is made by no node before it")
        if isinstance(value, onnx.TensorProto):
            value = self.values[name] = tensor_array(value, self.path.parent)
        return value

    def unique(self, name: str) -> str:
        """``name``, or one like it, that no node has yet."""
        candidate, count = name, 1
        while candidate in self.names:
            count += 1
            candidate = f"{name}_{count}"
        self.names.add(candidate)
        return candidate


def _name(node: onnx.NodeProto) -> str:
    return node.name or next(iter(node.output), "")


def _operator(node: onnx.NodeProto) -> str:
    return node.op_type if node.domain in ("", "ai.onnx") else f"{node.domain}.{node.op_type}"
