"""From an ONNX file to a graph."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper
from onnx.external_data_helper import load_external_data_for_model

from networks.graph.graph import Graph, Node
from networks.graph.lowering import Array
from networks.graph.operations import BatchNormalization
from networks.importer.constants import constant, fold, foldable
from networks.importer.context import Context, Value, to_graph
from networks.importer.errors import ModelError
from networks.importer.fusion import fuse, live_nodes
from networks.importer.model_file import (
    model_input,
    model_output,
    nodes_behind,
    operator_set,
    read_model,
    require_text,
    tensor_array,
)
from networks.importer.operators import OPERATORS


def import_onnx(path: Path) -> Graph:
    """The network in the ONNX file ``path``, images channels-last; ``ModelError`` if it has none.

    Supported are the operators in ``OPERATORS`` and whatever depends on constants and shapes only,
    in the operator sets from 11 on. Batch normalizations, constants added per channel and limits
    are part of the layer before them where they can be. The output is the first of floats; a
    softmax that makes it is left out, since it does not change the ranking.
    """
    importer = _Importer(path)
    with _one_line(path, importer), np.errstate(all="ignore"):
        return importer.run()


def reference_model(path: Path) -> bytes:
    """The ONNX file ``path`` as one file for other tools, with only the output that is imported.

    Data that lie beside the file are part of it. Raises ``ModelError`` as :func:`import_onnx`.
    """
    with _one_line(path, None):
        model = read_model(path)
        output = model_output(model.graph)
        known = [value for value in model.graph.output if value.name == output]
        nodes = nodes_behind(model.graph, output)
        del model.graph.node[:], model.graph.output[:]
        model.graph.node.extend(nodes)
        float_tensor = helper.make_tensor_value_info(output, onnx.TensorProto.FLOAT, None)
        model.graph.output.extend(known or [float_tensor])
        load_external_data_for_model(model, str(path.parent))
        return bytes(model.SerializeToString())


@contextmanager
def _one_line(path: Path, importer: "_Importer | None") -> Iterator[None]:
    """Whatever goes wrong, as one line that names file and node."""
    try:
        yield
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

    def run(self) -> Graph:
        model = read_model(self.path)
        self.opset = operator_set(model)
        output = model_output(model.graph)
        source = model_input(model.graph)
        self.batch = source.batch
        image = tuple(source.shape[axis] for axis in to_graph(len(source.shape)))
        self.values.update((tensor.name, tensor) for tensor in model.graph.initializer)
        self.values[source.name] = Value(source.name, image)
        for node in nodes_behind(model.graph, output):
            self.place = f"node {_name(node)!r} ({_operator(node)}): "
            self.convert(node)
        self.place = ""
        result = self.values.get(output)
        if not isinstance(result, Value):
            raise ValueError(f"the output {output!r} does not depend on the input")
        nodes = live_nodes(self.nodes, result.name)
        if any(len({getattr(n, name) for n in nodes}) < len(nodes) for name in ("name", "output")):
            raise ValueError("nodes, or values, have the same name")
        shapes = Graph(source.name, image, tuple(nodes), result.name).shapes
        fused = fuse(nodes, shapes, self.batch_norms, result.name)
        return Graph(source.name, image, fused, result.name)

    def convert(self, node: onnx.NodeProto) -> None:
        """Add what ``node`` makes to the values, and to the nodes where it needs some."""
        for name in (node.name, *node.input, *node.output):
            require_text(name)
        for name in node.output:
            if name in self.values:
                raise ValueError(f"the value {name!r} is made twice")
        inputs = [self.look_up(name) if name else None for name in node.input]
        attributes = {entry.name: helper.get_attribute_value(entry) for entry in node.attribute}
        self.values[node.output[0]] = self.result(node, inputs, attributes)

    def result(
        self,
        node: onnx.NodeProto,
        inputs: list[Value | Array | None],
        attributes: dict[str, Any],
    ) -> Value | Array:
        """The first output of ``node``; others are masks and indices, which nothing here takes."""
        if _operator(node) == "Constant":
            return constant(attributes, self.path.parent)
        if _operator(node) == "Shape" and isinstance(inputs[0], Value):
            # Of the values that depend on the image, the shapes do not.
            shape = np.array((self.batch or 1, *inputs[0].shape), np.int64)
            return shape[attributes.get("start", 0) : attributes.get("end", len(shape))]
        constants = [array for array in inputs if not isinstance(array, Value)]
        if foldable(node) and len(constants) == len(inputs):
            return fold(node, constants, self.opset)
        operator = OPERATORS.get(_operator(node))
        if operator is None:
            raise ValueError(
                f"this operator is not supported; supported are {', '.join(sorted(OPERATORS))}"
            )
        context = Context(
            self.unique(_name(node)),
            node.output[0],
            self.opset,
            self.batch,
            attributes,
            inputs,
            self.nodes,
            self.batch_norms,
        )
        return operator(context)

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
