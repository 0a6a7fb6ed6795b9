"""A trained network of two layers in integers: products of the array, exact sums of neighbours."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from golden import exact_matmul, requantize, rescale
from golden.aggregation import aggregate
from golden.requantize import MAX_SHIFT, MULTIPLIER_BITS
from networks.message_passing.node_graph import NodeGraph
from networks.message_passing.quantizer import largest_code, quantize_weights
from networks.message_passing.trained import Trained
from networks.message_passing.value_range import value_range

Bytes = npt.NDArray[np.uint8]
Weights = npt.NDArray[np.int8]
Int32Array = npt.NDArray[np.int32]
Int64Array = npt.NDArray[np.int64]
Multiply = Callable[[str, Bytes, Weights], Int32Array]
"""What an array makes of activations (M, K) and weights (K, N); the product has a name."""


def exact(name: str, x: Bytes, w: Weights) -> Int32Array:
    """The exact 8-bit product."""
    del name
    return exact_matmul(x, w)


class Precision(NamedTuple):
    """Bits of weights, of messages (signed) and of hidden activations; and their ranges.

    ``beyond``: the share of messages and of hidden activations that is clipped.
    """

    weights: int
    messages: int
    activations: int
    beyond: float


@dataclass(frozen=True)
class Scales:
    """Fixed-point factors of 15 bits, for each node and channel."""

    multiplier: Int64Array
    shift: Int64Array

    @classmethod
    def of(cls, factors: npt.NDArray[np.float64]) -> "Scales":
        """The nearest to ``factors``, as :meth:`golden.FixedPointScale.nearest`."""
        mantissa, exponent = np.frexp(factors)
        multiplier = np.rint(np.ldexp(mantissa, MULTIPLIER_BITS)).astype(np.int64)
        over = multiplier == 1 << MULTIPLIER_BITS
        multiplier = np.where(over, multiplier >> 1, multiplier)
        shift = MULTIPLIER_BITS - (exponent + over)
        if (shift < 0).any():
            raise ValueError(
                f"factors must be below {1 << MULTIPLIER_BITS}, not {float(factors.max()):.6g}"
            )
        small = (shift > MAX_SHIFT) | (multiplier == 0)
        return cls(np.where(small, 0, multiplier), np.where(small, 0, shift).astype(np.int64))


@dataclass(frozen=True)
class IntegerLayer:
    """A layer: its product, the messages made of that, and the biases of their sums."""

    name: str
    weights: Weights
    message_scales: Scales
    message_top: int
    bias: Int32Array
    """(N, C), in the steps of a node's sums."""

    def sums(self, x: Bytes, graph: NodeGraph, multiply: Multiply) -> Int32Array:
        """What each node receives, with the bias: int32 (N, C), exact sums of messages."""
        products = multiply(f"{self.name}: X W", x, self.weights)
        own = self.message_scales
        sent = rescale(products, own.multiplier, own.shift)
        messages = np.clip(sent, -self.message_top, self.message_top).astype(np.int8)
        return self.gather(messages, graph, multiply) + self.bias

    def gather(self, messages: Weights, graph: NodeGraph, multiply: Multiply) -> Int32Array:
        """The sums over neighbours, without a product."""
        del multiply
        return aggregate(messages, graph.neighbours.starts, graph.neighbours.members)


class GatheringLayer(IntegerLayer):
    """The same, its sums the product of the adjacency matrix with the messages as weights.

    Zeros and ones are exact in every window, so the array's sums are those of neighbours.
    """

    def gather(self, messages: Weights, graph: NodeGraph, multiply: Multiply) -> Int32Array:
        """The sums over neighbours, by the array."""
        adjacency = graph.neighbours.dense(len(graph.degrees))
        return multiply(f"{self.name}: A (X W)", adjacency, messages)


@dataclass(frozen=True)
class IntegerNetwork:
    """Two layers, and what makes bytes of the first one's sums."""

    first: IntegerLayer
    hidden_scales: Scales
    hidden_top: int
    last: IntegerLayer

    def forward(self, graph: NodeGraph, multiply: Multiply = exact) -> Int32Array:
        """The logits (N, classes); those of a node have one step."""
        words = graph.words.dense(graph.vocabulary)
        sums = self.first.sums(words, graph, multiply)
        own = self.hidden_scales
        hidden = requantize(sums, own.multiplier, own.shift, high=self.hidden_top)
        return self.last.sums(hidden, graph, multiply)


def quantize_network(
    network: Trained,
    graph: NodeGraph,
    precision: Precision,
    layer: type[IntegerLayer] = IntegerLayer,
) -> IntegerNetwork:
    """``network`` in integers for ``graph``, with ranges of its values in floating point."""
    values = network.forward(graph)
    nodes = network.architecture.node_scale(graph).astype(np.float64)[:, np.newaxis]
    words = network.architecture.word_scale(graph).astype(np.float64)[:, np.newaxis]
    message_top = largest_code(precision.messages, True)
    hidden_top = largest_code(precision.activations, False)
    steps = [
        value_range(each, precision.beyond) / message_top
        for each in (values.first_messages, values.last_messages)
    ]
    hidden_step = value_range(values.hidden, precision.beyond) / hidden_top

    def made(
        name: str,
        weights: npt.NDArray[np.float32],
        bias: npt.NDArray[np.float32],
        input_scale: npt.NDArray[np.float64],
        step: float,
    ) -> IntegerLayer:
        codes, weight_step = quantize_weights(weights, precision.weights)
        factors = nodes * input_scale * weight_step.astype(np.float64) / step
        biases = np.rint(bias / (nodes * step)).astype(np.int32)
        return layer(name, codes.astype(np.int8), Scales.of(factors), message_top, biases)

    return IntegerNetwork(
        made("layer 1", network.first_weights, network.first_bias, words, steps[0]),
        Scales.of(nodes * steps[0] / hidden_step),
        hidden_top,
        made(
            *("layer 2", network.last_weights, network.last_bias),
            np.full_like(nodes, hidden_step),
            steps[1],
        ),
    )
