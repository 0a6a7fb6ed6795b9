"""2:4 structured sparsity by magnitude."""

from collections.abc import Collection
from dataclasses import replace

import numpy as np

from golden.format import SPARSE_BLOCK, SPARSE_KEPT
from networks.fixed_point import Float64Array
from networks.graph.graph import Graph
from networks.graph.operations import MatrixLayer


def prune_2_4(graph: Graph, layers: Collection[str]) -> Graph:
    """``graph`` with the ``layers`` pruned: of each four weights along K, the two largest are kept.

    Each output channel is pruned on its own; of equal magnitudes the earlier counts as larger.
    """
    nodes = tuple(
        replace(node, operation=replace(node.operation, weights=_pruned(node.operation.weights)))
        if isinstance(node.operation, MatrixLayer) and node.name in layers
        else node
        for node in graph.nodes
    )
    return replace(graph, nodes=nodes)


def _pruned(weights: Float64Array) -> Float64Array:
    groups, depth, width = weights.shape
    padded = np.zeros((groups, -(-depth // SPARSE_BLOCK) * SPARSE_BLOCK, width))
    padded[:, :depth] = weights
    quads = padded.reshape(groups, -1, SPARSE_BLOCK, width)
    rank = np.argsort(np.argsort(-np.abs(quads), axis=2, kind="stable"), axis=2)
    quads[rank >= SPARSE_KEPT] = 0
    return padded[:, :depth].copy()
