"""Message passing in integers, against a statement of it in fractions."""

from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pytest

from golden import exact_matmul, named_format, sparq_matmul
from networks.message_passing.architecture import ARCHITECTURES
from networks.message_passing.integer_network import (
    GatheringLayer,
    IntegerLayer,
    IntegerNetwork,
    Precision,
    Scales,
    exact,
    quantize_network,
)
from networks.message_passing.node_graph import NodeGraph
from sim_tb.oracle.small_graphs import NODES, VOCABULARY, small_graph, small_network

EIGHT = Precision(8, 8, 8, 0.0)


def scaled(value: int, scales: Scales, node: int, channel: int) -> int:
    """Half to even."""
    place = min(channel, scales.multiplier.shape[1] - 1)
    factor = Fraction(int(scales.multiplier[node, place]), 1 << int(scales.shift[node, place]))
    return round(value * factor)


def sums_of(layer: IntegerLayer, rows: list[list[int]], graph: NodeGraph) -> list[list[int]]:
    width, top = layer.weights.shape[1], layer.message_top
    weights = layer.weights.tolist()
    messages = []
    for node, row in enumerate(rows):
        products = [sum(x * w[c] for x, w in zip(row, weights, strict=True)) for c in range(width)]
        sent = [scaled(value, layer.message_scales, node, c) for c, value in enumerate(products)]
        messages.append([min(max(value, -top), top) for value in sent])
    dense = graph.neighbours.dense(NODES)
    return [
        [
            sum(messages[other][c] for other in np.flatnonzero(dense[node]).tolist())
            + int(layer.bias[node, c])
            for c in range(width)
        ]
        for node in range(NODES)
    ]


@pytest.mark.parametrize("architecture", ARCHITECTURES.values(), ids=ARCHITECTURES)
@pytest.mark.parametrize("precision", [EIGHT, Precision(4, 4, 4, 0.01), Precision(2, 8, 5, 0.1)])
def test_forward(architecture: object, precision: Precision) -> None:
    graph = small_graph()
    network = small_network(architecture)  # type: ignore[arg-type]
    integers = quantize_network(network, graph, precision)
    rows = graph.words.dense(VOCABULARY).tolist()
    first = sums_of(integers.first, rows, graph)
    top = (1 << precision.activations) - 1
    hidden = [
        [min(max(scaled(v, integers.hidden_scales, node, c), 0), top) for c, v in enumerate(row)]
        for node, row in enumerate(first)
    ]
    assert integers.forward(graph, exact).tolist() == sums_of(integers.last, hidden, graph)
    for layer in (integers.first, integers.last):
        limit = (1 << precision.weights - 1) - 1
        assert np.abs(layer.weights.astype(int)).max() == limit
        assert layer.message_top == (1 << precision.messages - 1) - 1


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_close_to_floating_point(name: str) -> None:
    """In 8 bits: as logits of the nodes' own steps."""
    graph, network = small_graph(), small_network(ARCHITECTURES[name])
    expected = network.forward(graph).logits
    logits = quantize_network(network, graph, EIGHT).forward(graph, exact)
    # The steps of a node are unknown here: logits are compared up to a factor of each node.
    factor = (logits * expected).sum(axis=1) / np.square(logits.astype(float)).sum(axis=1)
    assert (factor > 0).all()
    assert np.abs(logits * factor[:, np.newaxis] - expected).max() < 0.05 * np.ptp(expected)


def test_adjacency_and_words_are_exact_in_windows() -> None:
    """Both products of a layer by the array: the sums of neighbours stay what they are."""
    graph, network = small_graph(), small_network(ARCHITECTURES["GCN"])
    seen: list[str] = []

    def multiply(
        name: str, x: npt.NDArray[np.uint8], w: npt.NDArray[np.int8]
    ) -> npt.NDArray[np.int32]:
        seen.append(name)
        sums = sparq_matmul(x, w, named_format("7opt"))
        if name != "layer 2: X W":
            np.testing.assert_array_equal(sums, exact_matmul(x, w))
        return sums

    by_array = quantize_network(network, graph, EIGHT, GatheringLayer)
    plain: IntegerNetwork = quantize_network(network, graph, EIGHT)
    logits = by_array.forward(graph, multiply)
    assert seen == [f"layer {n}: {what}" for n in (1, 2) for what in ("X W", "A (X W)")]
    np.testing.assert_array_equal(logits, plain.forward(graph, multiply))
