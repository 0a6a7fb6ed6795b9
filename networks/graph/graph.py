"""A network in floating point, and the walk through its nodes that everything shares."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from networks.fixed_point import Float64Array
from networks.graph.attention import MatrixProduct
from networks.graph.lowering import Array, Shape
from networks.graph.operations import MatrixLayer, Operation


class AnyNode(Protocol):
    """What the walk needs to know of a node."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the values it takes."""

    @property
    def output(self) -> str:
        """Name of the value it makes."""


@dataclass(frozen=True)
class Node:
    """An operation, the values it takes and makes, and the limits that its result is clipped to."""

    name: str
    operation: Operation
    inputs: tuple[str, ...]
    output: str
    clip: tuple[float, float] | None = None

    def __call__(self, *values: Float64Array) -> Float64Array:
        """The node's value, float64, of those of its inputs."""
        return self.clipped(self.operation(*values))

    def clipped(self, value: Float64Array) -> Float64Array:
        """``value`` within the limits."""
        return value if self.clip is None else np.clip(value, *self.clip)


def propagate(
    nodes: Sequence[Any], source: str, images: Array, output: str, apply: Callable[..., Array]
) -> Array:
    """Send ``images`` (N, ...) through ``nodes``, in order; returns the value called ``output``.

    ``apply(node, *values)`` makes each node's value; a value is dropped after its last use.
    """
    uses = Counter(name for node in nodes for name in node.inputs)
    uses[output] += 1
    values = {source: images}
    for node in nodes:
        values[node.output] = apply(node, *(values[name] for name in node.inputs))
        uses.subtract(node.inputs)
        for name in (*node.inputs, node.output):
            if uses[name] == 0:
                values.pop(name, None)
    return values[output]


@dataclass(frozen=True)
class Graph:
    """Nodes in the order of computation, one source of images and one output.

    Images are float64, channels-last: ``input_shape`` is (rows, columns, channels) of one image, or
    any other shape as it is. ``ranking`` says that only the order of the output's values is that of
    the model that this was imported from: a softmax or a sigmoid was left out. With
    ``tokens``, names of inputs, an image is as many sequences of integers, (inputs, length): of
    tokens, or masks of 0 and 1. ``parts`` are those of the ranges of some values beyond which these
    make no difference. Raises ``ValueError``, naming the node, if shapes do not fit.
    """

    source: str
    input_shape: Shape
    nodes: tuple[Node, ...]
    output: str
    ranking: bool = False
    tokens: tuple[str, ...] = ()
    parts: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    shapes: dict[str, Shape] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        shapes = {self.source: self.input_shape}
        for node in self.nodes:
            unknown = [name for name in node.inputs if name not in shapes]
            if unknown:
                raise ValueError(f"{node.name}: nothing before it makes the value {unknown[0]}")
            try:
                operation: Any = node.operation
                shapes[node.output] = operation.output_shape(*(shapes[i] for i in node.inputs))
            except ValueError as error:
                raise ValueError(f"{node.name}: {error}") from None
        object.__setattr__(self, "shapes", shapes)

    @property
    def matrix_nodes(self) -> tuple[Node, ...]:
        """The nodes that multiply with weights, in order."""
        return tuple(node for node in self.nodes if isinstance(node.operation, MatrixLayer))

    @property
    def channels(self) -> int:
        """The output channels of all layers with weights."""
        layers = (node.operation for node in self.nodes)
        return sum(layer.width for layer in layers if isinstance(layer, MatrixLayer))

    @property
    def product_nodes(self) -> tuple[Node, ...]:
        """The nodes that multiply with weights or two values as matrices, in order."""
        kinds = MatrixLayer | MatrixProduct
        return tuple(node for node in self.nodes if isinstance(node.operation, kinds))

    @property
    def consumers(self) -> dict[str, list[Node]]:
        """The nodes that take each value."""
        taking: dict[str, list[Node]] = {name: [] for name in self.shapes}
        for node in self.nodes:
            for name in node.inputs:
                taking[name].append(node)
        return taking

    def forward(
        self,
        images: npt.NDArray[np.floating[Any]],
        observe: Callable[[str, Float64Array], None] = lambda name, value: None,
    ) -> Float64Array:
        """The output for ``images``; ``observe`` is called with every value, ``images`` first.

        The arithmetic is that of :func:`networks.fixed_point.to_fixed_point`: good to some 16 bits,
        and the same on every machine.
        """

        def apply(node: Node, *values: Float64Array) -> Float64Array:
            value = node(*values)
            observe(node.output, value)
            return value

        first = images.astype(np.float64)
        observe(self.source, first)
        return propagate(self.nodes, self.source, first, self.output, apply)
