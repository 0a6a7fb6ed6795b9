"""Which layers of a network an accelerator cannot compute in windows, or not at all."""

from collections.abc import Iterator
from math import prod
from typing import NamedTuple

from gen.compiler.lowering.matrix import require_depth, unwindowed
from golden.accelerator.shape import AcceleratorShape
from networks.graph.graph import Graph
from networks.graph.lowering import Flat
from networks.graph.movement import Rearrange
from networks.graph.operations import MatrixLayer


class _Layer(NamedTuple):
    """A layer with weights: each of its groups takes ``inputs`` channels of ``taps`` pixels, and
    makes ``width``.
    """

    name: str
    taps: int
    groups: int
    inputs: int
    width: int


def unwindowed_layers(shape: AcceleratorShape, graph: Graph) -> dict[str, str]:
    """The layers that have to stay at 8 bits, and why: ``kept`` of ``quantize``."""
    reasons = {
        layer.name: unwindowed(shape, layer.groups, layer.inputs, layer.width)
        for layer in _layers(graph)
    }
    return {name: reason for name, reason in reasons.items() if reason}


def require_depths(shape: AcceleratorShape, graph: Graph) -> None:
    """Raise ``CompileError`` for a layer whose reduction is longer than the machine holds."""
    for layer in _layers(graph):
        require_depth(shape, *layer)


def _layers(graph: Graph) -> Iterator[_Layer]:
    producers = {node.output: node for node in graph.nodes}
    for node in graph.matrix_nodes:
        layer, (name,) = node.operation, node.inputs
        assert isinstance(layer, MatrixLayer)
        taps = 1
        if not isinstance(layer.lowering, Flat):
            taps = prod(layer.lowering.kernel)
        elif len(graph.shapes[name]) == 1:
            # Features are the channels of pixels, before they were flattened.
            while name in producers and isinstance(producers[name].operation, Rearrange):
                name = producers[name].inputs[0]
            taps = prod(graph.shapes[name][:-1])
        groups, _, width = layer.weights.shape
        yield _Layer(node.name, taps, groups, graph.shapes[name][-1] // groups, width)
