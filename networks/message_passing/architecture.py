"""What two layers of message passing do with degrees."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from networks.message_passing.node_graph import Float32Array, NodeGraph


@dataclass(frozen=True)
class Architecture:
    """A layer sends ``scale * (x W)`` from each node and makes ``scale * sum + bias`` of the sums.

    A graph convolution (GCN, Kipf and Welling, 2017) has the scale ``1 / sqrt(degree)``, the plain
    sum of neighbours (GIN, Xu et al., 2019, with one layer as its network) the scale 1. The first
    layer's input is the words of a node, divided by their number if they are ``averaged``.
    """

    name: str
    normalized: bool
    averaged: bool = True

    def node_scale(self, graph: NodeGraph) -> Float32Array:
        """The scale of each node (N,)."""
        if not self.normalized:
            return np.ones(len(graph.degrees), np.float32)
        scale: Float32Array = (1 / np.sqrt(graph.degrees)).astype(np.float32)
        return scale

    def word_scale(self, graph: NodeGraph) -> Float32Array:
        """What a word of each node counts (N,)."""
        counts = graph.words.counts if self.averaged else np.ones(len(graph.degrees))
        scale: Float32Array = (1 / np.maximum(counts, 1)).astype(np.float32)
        return scale


ARCHITECTURES: Mapping[str, Architecture] = {
    each.name: each for each in (Architecture("GCN", True), Architecture("GIN", False))
}
"""The architectures by name."""
