"""Values of more than a byte: what normalizations take, whose features may differ by far."""

from networks.graph.attention import LayerNormalization
from networks.graph.elementwise import Affine, Sum
from networks.graph.graph import Graph
from networks.graph.operations import MatrixLayer


def wide_values(graph: Graph) -> set[str]:
    """The values that have 16 bits.

    Normalizations alone take them, or sums that are such values, and a layer, a sum or a scale
    without limits makes them.
    """
    consumers = graph.consumers
    found: set[str] = set()
    for node in reversed(graph.nodes):
        made = isinstance(node.operation, MatrixLayer | Sum | Affine) and node.clip is None
        taking = consumers[node.output]
        if (
            made
            and taking
            and all(
                isinstance(other.operation, LayerNormalization)
                or (isinstance(other.operation, Sum) and other.output in found)
                for other in taking
            )
        ):
            found.add(node.output)
    return found - {graph.output}
