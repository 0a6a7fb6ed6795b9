"""Which layers of a network an accelerator cannot compute in windows."""

from gen.compiler.lowering.matrix import unwindowed
from golden.accelerator.shape import AcceleratorShape
from networks.graph.graph import Graph
from networks.graph.lowering import Flat
from networks.graph.movement import Rearrange
from networks.graph.operations import MatrixLayer


def unwindowed_layers(shape: AcceleratorShape, graph: Graph) -> dict[str, str]:
    """The layers that have to stay at 8 bits, and why: ``kept`` of ``quantize``."""
    producers = {node.output: node for node in graph.nodes}
    reasons = {}
    for node in graph.matrix_nodes:
        layer, (name,) = node.operation, node.inputs
        assert isinstance(layer, MatrixLayer)
        if isinstance(layer.lowering, Flat) and len(graph.shapes[name]) == 1:
            # Features are the channels of pixels, before they were flattened.
            while name in producers and isinstance(producers[name].operation, Rearrange):
                name = producers[name].inputs[0]
        groups, _, width = layer.weights.shape
        inputs = graph.shapes[name][-1] // groups
        reason = unwindowed(shape, groups, inputs, width)
        if reason:
            reasons[node.name] = reason
    return reasons
