"""The parameters of a trained network of two layers."""

from typing import NamedTuple

import numpy as np

from networks.message_passing.architecture import Architecture
from networks.message_passing.node_graph import Float32Array, NodeGraph


class Values(NamedTuple):
    """What the network computes on its way: messages, hidden values, messages, logits."""

    first_messages: Float32Array
    hidden: Float32Array
    last_messages: Float32Array
    logits: Float32Array


class Trained(NamedTuple):
    """Weights (K, C) and biases (C,) of both layers, float32."""

    architecture: Architecture
    first_weights: Float32Array
    first_bias: Float32Array
    last_weights: Float32Array
    last_bias: Float32Array

    def forward(self, graph: NodeGraph) -> Values:
        """The values for ``graph`` in floating point."""
        scale = self.architecture.node_scale(graph)[:, None]
        words = self.architecture.word_scale(graph)[:, None]
        first = scale * words * (graph.words @ self.first_weights)
        sums = scale * (graph.neighbours @ first) + self.first_bias
        hidden: Float32Array = np.maximum(sums, 0)
        last: Float32Array = scale * (hidden @ self.last_weights)
        logits = scale * (graph.neighbours @ last) + self.last_bias
        return Values(first, hidden, last, logits)
