"""A small graph with words, and a network with random parameters for it."""

import numpy as np
import numpy.typing as npt

from networks.message_passing.architecture import Architecture
from networks.message_passing.node_graph import Incidence, NodeGraph
from networks.message_passing.trained import Trained

NODES, VOCABULARY, HIDDEN, CLASSES = 23, 30, 5, 3


def small_graph(seed: int = 18) -> NodeGraph:
    """A hub, nodes without neighbours but themselves, and one without words."""
    rng = np.random.default_rng(seed)
    adjacency = rng.random((NODES, NODES)) < 0.08
    adjacency[0] |= rng.random(NODES) < 0.7
    adjacency |= adjacency.T
    adjacency[-2:], adjacency[:, -2:] = False, False
    np.fill_diagonal(adjacency, True)
    words = rng.random((NODES, VOCABULARY)) < 0.2
    words[3] = False
    labels = rng.integers(0, CLASSES, NODES)
    labels[:CLASSES] = np.arange(CLASSES)
    parts = {"train": np.arange(8), "validation": np.arange(8, 10), "test": np.arange(10, NODES)}
    return NodeGraph(
        incidence(adjacency),
        incidence(words),
        VOCABULARY,
        labels,
        parts,
    )


def incidence(matrix: npt.NDArray[np.bool_]) -> Incidence:
    rows, columns = np.nonzero(matrix)
    return Incidence.of(rows, columns, len(matrix))


def small_network(architecture: Architecture, seed: int = 3) -> Trained:
    rng = np.random.default_rng(seed)
    shapes = [(VOCABULARY, HIDDEN), (HIDDEN,), (HIDDEN, CLASSES), (CLASSES,)]
    return Trained(architecture, *(rng.normal(size=s).astype(np.float32) for s in shapes))
