"""One ONNX node on its way into the graph: what its converter sees of it."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from networks.fixed_point import Float64Array
from networks.graph.graph import Node
from networks.graph.lowering import Array, Pair, Shape
from networks.graph.operations import BatchNormalization, Operation
from networks.importer.model_file import MOST_ELEMENTS

T = TypeVar("T", bound=int | float | str)


def to_onnx(rank: int) -> tuple[int, ...]:
    """For each axis of an image in ONNX's order, the axis in the graph's."""
    return (2, 0, 1) if rank == 3 else tuple(range(rank))


def to_graph(rank: int) -> tuple[int, ...]:
    """For each axis of an image in the graph's order, the axis in ONNX's."""
    return (1, 2, 0) if rank == 3 else tuple(range(rank))


@dataclass(frozen=True)
class Value:
    """A value of the graph, its name and the shape of one image's, channels last."""

    name: str
    stored: Shape
    ranking: bool = False
    """Whether a softmax was left out before it, so that only its order is that of the model's."""

    @property
    def shape(self) -> Shape:
        """The shape of one image's in ONNX's order."""
        return tuple(self.stored[axis] for axis in to_onnx(len(self.stored)))


@dataclass
class Context:
    """An ONNX node, its inputs looked up, and the nodes of the graph that it becomes.

    ``inputs`` holds a value, a constant or, for one left out, None. ``batch`` is the number of
    images if the model fixes it. Every method raises ``ValueError`` for what a model must not have.
    """

    name: str
    output: str
    opset: int
    batch: int | None
    attributes: dict[str, Any]
    inputs: Sequence[Value | Array | None]
    nodes: list[Node]
    batch_norms: dict[str, BatchNormalization]

    def has(self, index: int) -> bool:
        """Whether the optional input ``index`` is given."""
        return index < len(self.inputs) and self.inputs[index] is not None

    def value(self, index: int = 0, rank: int | None = None) -> Value:
        """Input ``index``, which depends on the image; ``rank`` counts the batch."""
        value = self.inputs[index]
        if not isinstance(value, Value):
            raise ValueError(f"input {index} must depend on the image")
        if value.ranking:
            raise ValueError("a Softmax is supported at the end of the model only")
        if rank is not None and len(value.stored) + 1 != rank:
            raise ValueError(f"input {index} must have rank {rank}, not {len(value.stored) + 1}")
        return value

    def constant(self, index: int) -> Array:
        """Input ``index``, which does not depend on the image."""
        array = self.inputs[index] if self.has(index) else None
        if not isinstance(array, np.ndarray):
            raise ValueError(f"input {index} must be a constant")
        return array

    def weights(self, index: int) -> Float64Array:
        """The constant ``index`` of finite floats."""
        array = self.constant(index)
        if array.dtype.name not in ("float64", "float32", "float16", "bfloat16"):
            raise ValueError(f"input {index} must be of floats, not {array.dtype}")
        weights = array.astype(np.float64)
        if not np.isfinite(weights).all():
            raise ValueError(f"input {index} has elements that are not finite")
        return weights

    def per_channel(self, index: int, channels: int) -> Float64Array:
        """The weights ``index``, which must be one per channel."""
        weights = self.weights(index)
        if weights.shape != (channels,):
            raise ValueError(
                f"input {index} must have the shape ({channels},), not {weights.shape}"
            )
        return weights

    def scalar(self, index: int, default: float) -> float:
        """The constant ``index`` of one element, or ``default``."""
        return float(self.constant(index).reshape(())) if self.has(index) else default

    def integers(self, index: int, attribute: str) -> list[int] | None:
        """The integers in the constant ``index`` or, as of old, in ``attribute``; None if neither.

        Of several operators one release of ONNX made an input of the attribute.
        """
        if self.has(index):
            array = self.constant(index)
            if array.dtype.kind not in "iu":
                raise ValueError(f"input {index} must be of integers, not {array.dtype}")
            return [int(number) for number in array.ravel()]
        if attribute not in self.attributes:
            return None
        numbers = self.attributes[attribute]
        if not isinstance(numbers, list) or any(type(number) is not int for number in numbers):
            raise ValueError(f"attribute {attribute} must be integers")
        return numbers

    def attribute(self, name: str, default: T) -> T:
        """An attribute of the type of ``default``."""
        value = self.attributes.get(name, default)
        if isinstance(value, bytes):
            value = value.decode()
        if type(value) is not type(default):
            raise ValueError(f"attribute {name} must be of type {type(default).__name__}")
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"attribute {name} is not finite")
        return value

    def sizes(self, name: str, default: Sequence[int], least: int) -> tuple[int, ...]:
        """An attribute of as many integers as ``default`` has, all at least ``least``."""
        numbers = self.integers(len(self.inputs), name)
        sizes = default if numbers is None else numbers
        if len(sizes) != len(default) or min(sizes) < least:
            raise ValueError(
                f"attribute {name} must be {len(default)} integers of at least {least}, not {sizes}"
            )
        return tuple(sizes)

    def pair(self, name: str) -> Pair:
        """An attribute of two positive integers, 1 by default."""
        first, second = self.sizes(name, (1, 1), 1)
        return first, second

    def axis(self, axis: int, rank: int) -> int:
        """The axis of an image, in the graph's order, for ONNX's ``axis`` of ``rank``."""
        if not -rank <= axis < rank:
            raise ValueError(f"there is no axis {axis} in a value of rank {rank}")
        if axis % rank == 0:
            raise ValueError("must keep the batch axis")
        return to_onnx(rank - 1)[axis % rank - 1]

    def emit(self, operation: Operation, *inputs: Value, part: str = "", **clip: Any) -> Value:
        """Add a node to the graph; ``part`` tells several for one ONNX node from each other.

        The one without ``part`` makes the ONNX node's output.
        """
        function: Callable[..., Shape] = operation.output_shape
        shape = function(*(value.stored for value in inputs))
        if math.prod(shape) > MOST_ELEMENTS or min(shape, default=1) < 1:
            raise ValueError(f"a value of the shape {shape} is too large, or empty")
        names = tuple(value.name for value in inputs)
        self.nodes.append(Node(self.name + part, operation, names, self.output + part, **clip))
        return Value(self.output + part, shape)
