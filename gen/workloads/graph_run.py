"""A whole graph through the array."""

from typing import Any

from rich.progress import Progress

from gen.design.expectation import require_equal
from gen.workloads.array_products import ArrayProducts
from networks.message_passing.integer_network import (
    GatheringLayer,
    IntegerLayer,
    Precision,
    quantize_network,
)
from networks.message_passing.node_graph import NodeGraph
from networks.message_passing.trained import Trained
from networks.samples.cora.measurement import accuracies, windowed


def run_graph(
    network: Trained,
    graph: NodeGraph,
    precision: Precision,
    format_name: str,
    adjacency: bool,
    progress: Progress,
) -> dict[str, Any]:
    """Take ``graph`` through the array, the products of both layers, bit for bit.

    With ``adjacency`` the sums of neighbours are products of the array, too. The logits must be
    those of the integer network, whose sums are none.
    """
    layer = GatheringLayer if adjacency else IntegerLayer
    products = ArrayProducts(format_name, progress)
    logits = quantize_network(network, graph, precision, layer).forward(graph, products)
    plain = quantize_network(network, graph, precision)
    require_equal("logits", logits, plain.forward(graph, windowed(format_name)))
    density = len(graph.neighbours.members) / len(graph.degrees) ** 2
    return {
        "format": format_name,
        "accuracy": round(accuracies(logits, graph)["test"], 2),
        "density": round(density, 5),
        "products": products.runs,
        "cycles": sum(run["cycles"] for run in products.runs),
    }
