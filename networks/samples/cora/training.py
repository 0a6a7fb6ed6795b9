"""Training of two layers of message passing, also for few bits, with protected nodes."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from networks.message_passing.architecture import Architecture
from networks.message_passing.degree_protection import degree_protection
from networks.message_passing.integer_network import Precision
from networks.message_passing.node_graph import Float32Array, NodeGraph
from networks.message_passing.quantizer import Rounded, fake_quantize, quantize_weights
from networks.message_passing.trained import Trained
from networks.message_passing.value_range import value_range

HIDDEN = 16
EPOCHS = 200
RATE = 0.01
DECAY = 5e-4
"""Of the weights of the first layer."""
KEPT = 0.5
"""Share of words and of hidden values that dropout leaves."""


class Protection(NamedTuple):
    """Probabilities of protection: of nodes of the lowest degree, about, and of the highest."""

    low: float
    high: float


@dataclass(frozen=True)
class Recipe:
    """How a network is trained: for a ``precision``, in floating point where there is none."""

    architecture: Architecture
    precision: Precision | None = None
    protection: Protection | None = None


def train(graph: NodeGraph, recipe: Recipe, seed: int) -> Trained:
    """The network after :data:`EPOCHS` steps of Adam on the training nodes' cross-entropy."""
    rng = np.random.Generator(np.random.PCG64(seed))
    sizes = [(graph.vocabulary, HIDDEN), (HIDDEN, graph.classes)]
    parameters = []
    for depth, width in sizes:
        bound = np.sqrt(6 / (depth + width))
        weights = ((2 * rng.random((depth, width)) - 1) * bound).astype(np.float32)
        parameters += [weights, np.zeros(width, np.float32)]
    network = Trained(recipe.architecture, *parameters)
    step = TrainingStep(graph, recipe, rng)
    moments = [(np.zeros_like(each), np.zeros_like(each)) for each in parameters]
    for epoch in range(1, EPOCHS + 1):
        for value, slope, (mean, square) in zip(parameters, step(network), moments, strict=True):
            mean += np.float32(0.1) * (slope - mean)
            square += np.float32(0.001) * (slope * slope - square)
            root = np.sqrt(square / np.float32(1 - 0.999**epoch)) + np.float32(1e-8)
            value -= np.float32(RATE / (1 - 0.9**epoch)) * mean / root
    return network


class TrainingStep:
    """Called with a network, it gives the gradients of its parameters, of one pass.

    Values are quantized as :func:`quantize_network` does, weights too; ranges are those of the
    pass. A protected node's own messages and hidden values are not quantized and do not count for
    ranges; who is protected is drawn for each pass. The gradient passes rounding, and stops where
    values are clipped.
    """

    def __init__(self, graph: NodeGraph, recipe: Recipe, rng: np.random.Generator):
        self._graph, self._recipe, self._rng = graph, recipe, rng
        self._scale = recipe.architecture.node_scale(graph)[:, np.newaxis]
        words = recipe.architecture.word_scale(graph)[:, np.newaxis]
        self._word_scale = self._scale * words * np.float32(1 / KEPT)
        self._nodes_of_words, self._places = graph.word_places
        protection = recipe.protection
        self._protection = (
            None if protection is None else degree_protection(graph.degrees, *protection)
        )

    def __call__(self, network: Trained) -> tuple[Float32Array, ...]:
        """The gradients of weights and biases of both layers."""
        graph, scale = self._graph, self._scale
        protected = self._protected()
        first, last = (self._weights(w) for w in (network.first_weights, network.last_weights))

        drawn = self._rng.random(len(graph.words.members), np.float32) < KEPT
        sent = self._word_scale * (graph.words.thinned(drawn) @ first)
        first_messages = self._quantized(sent, protected, signed=True)
        sums = scale * (graph.neighbours @ first_messages.values) + network.first_bias
        hidden = self._quantized(np.maximum(sums, 0), protected, signed=False)
        drop = (self._rng.random(sums.shape, np.float32) < KEPT) * np.float32(1 / KEPT)
        dropped = hidden.values * drop
        sent = (scale * (dropped @ last)).astype(np.float32, copy=False)
        last_messages = self._quantized(sent, protected, signed=True)
        logits = scale * (graph.neighbours @ last_messages.values) + network.last_bias

        slope = np.zeros_like(logits)
        chosen = graph.parts["train"]
        slope[chosen] = _softmax(logits[chosen])
        slope[chosen, graph.labels[chosen]] -= 1
        slope /= np.float32(len(chosen))
        last_bias = slope.sum(axis=0)
        # The adjacency matrix is symmetric.
        slope = scale * ((graph.neighbours @ (scale * slope)) * last_messages.inside)
        last_weights = dropped.T @ slope
        slope = (slope @ last.T) * drop * hidden.inside * (sums > 0)
        first_bias = slope.sum(axis=0)
        slope = (graph.neighbours @ (scale * slope)) * first_messages.inside
        nodes_of_words = self._nodes_of_words.thinned(drawn[self._places])
        first_weights = nodes_of_words @ (self._word_scale * slope)
        first_weights += np.float32(DECAY) * network.first_weights
        return first_weights, first_bias, last_weights, last_bias

    def _protected(self) -> Float32Array | None:
        """A one for each node that is protected in this pass, (N, 1)."""
        if self._protection is None:
            return None
        drawn = self._rng.random(len(self._protection)) < self._protection
        return drawn.astype(np.float32)[:, np.newaxis]

    def _weights(self, weights: Float32Array) -> Float32Array:
        if self._recipe.precision is None:
            return weights
        codes, step = quantize_weights(weights, self._recipe.precision.weights)
        return codes * step

    def _quantized(
        self, values: Float32Array, protected: Float32Array | None, signed: bool
    ) -> Rounded:
        precision = self._recipe.precision
        if precision is None:
            return Rounded(values, np.ones_like(values))
        counted = values if protected is None else values[protected[:, 0] == 0]
        largest = value_range(counted, precision.beyond)
        bits = precision.messages if signed else precision.activations
        rounded = fake_quantize(values, largest, bits, signed)
        if protected is None:
            return rounded
        return Rounded(
            np.where(protected > 0, values, rounded.values), np.maximum(rounded.inside, protected)
        )


def _softmax(logits: Float32Array) -> Float32Array:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    result: Float32Array = powers / powers.sum(axis=1, keepdims=True)
    return result
