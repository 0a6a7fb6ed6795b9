"""One ONNX node on its way into the graph: what its converter sees of it."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np

from networks.fixed_point import Float64Array
from networks.graph.graph import Node
from networks.graph.lowering import Array, Shape
from networks.graph.movement import Rearrange
from networks.graph.operations import STRUCTURAL, BatchNormalization, Operation
from networks.importer.model_file import MOST_ELEMENTS

T = TypeVar("T", bound=int | float | str)


def channels_last(rank: int) -> tuple[int, ...]:
    """For each axis of an image in ONNX's order, the axis of one whose channels are last."""
    return (rank - 1, *range(rank - 1))


def usual(rank: int) -> tuple[int, ...]:
    """For each axis of an image in ONNX's order, the axis in which a graph takes and gives it."""
    return channels_last(rank) if rank == 3 else tuple(range(rank))


@dataclass(frozen=True)
class Value:
    """A value of the graph: its name, and how one image's is stored.

    ``stored`` is its shape as stored, and ``order`` the stored axis of each of ONNX's axes but for
    that of the batch, which is ``batch``: so a transposition costs nothing. Stored axes that are
    none of ONNX's have the size 1. ``integers`` are tokens, or a mask, not yet cast to floats.
    """

    name: str
    stored: Shape
    order: tuple[int, ...]
    batch: int = 0
    integers: bool = False

    @property
    def shape(self) -> Shape:
        """The shape of one image's in ONNX's order."""
        return tuple(self.stored[axis] for axis in self.order)

    @property
    def rank(self) -> int:
        """How many axes it has in ONNX, with that of the batch."""
        return len(self.order) + 1

    @property
    def before(self) -> tuple[int, ...]:
        """All stored axes, those in ONNX's order last."""
        return (*(a for a in range(len(self.stored)) if a not in self.order), *self.order)


@dataclass
class Context:
    """An ONNX node, its inputs looked up, and the nodes of the graph that it becomes.

    ``inputs`` holds a value, a constant or, for one left out, None. ``batch`` is the number of
    images if the model fixes it. Every method raises ``ValueError`` for what a model must not have.
    """

    name: str
    outputs: Sequence[str]
    opset: int
    batch: int | None
    attributes: dict[str, Any]
    inputs: Sequence[Value | Array | None]
    nodes: list[Node]
    batch_norms: dict[str, BatchNormalization]

    def has(self, index: int) -> bool:
        """Whether the optional input ``index`` is given."""
        return index < len(self.inputs) and self.inputs[index] is not None

    def value(self, index: int = 0, rank: int | None = None, moved: bool = False) -> Value:
        """Input ``index``, which depends on the image; ``rank`` counts the batch.

        ``moved`` says that the axis of the batch need not be the first.
        """
        value = self.inputs[index] if index < len(self.inputs) else None
        if not isinstance(value, Value):
            raise ValueError(f"input {index} must depend on the image")
        if value.batch and not moved:
            raise ValueError("must keep the batch axis")
        if rank is not None and value.rank != rank:
            raise ValueError(f"input {index} must have rank {rank}, not {value.rank}")
        return value

    def values(self, places: Sequence[int] | None = None) -> list[Value]:
        """All inputs, or those at ``places``, which depend on the image, stored alike."""
        chosen = range(len(self.inputs)) if places is None else places
        values = [self.value(index) for index in chosen]
        ranks = {value.rank for value in values}
        if len(ranks) != 1:
            shown = ", ".join(str(value.shape) for value in values)
            raise ValueError(f"values must have one rank, not the shapes {shown}")
        first = max(values, key=lambda value: math.prod(value.stored))
        return [
            self.arranged(value, first.order, len(first.stored), f"/input{index}")
            for index, value in enumerate(values)
        ]

    def arranged(
        self, x: Value, order: tuple[int, ...], stored_rank: int | None = None, part: str = "/order"
    ) -> Value:
        """``x`` stored with its axes in ``order``, in an array of so many axes."""
        rank = len(order) if stored_rank is None else stored_rank
        if (x.order, len(x.stored)) == (order, rank):
            return x
        shape = [1] * rank
        for size, axis in zip(x.shape, order, strict=True):
            shape[axis] = size
        onnx_axes = sorted(range(len(order)), key=lambda axis: order[axis])
        extra = [axis for axis in range(len(x.stored)) if axis not in x.order]
        before = (*extra, *(x.order[axis] for axis in onnx_axes))
        return self.rearrange(x, before, tuple(shape), tuple(range(rank)), order, part)

    def image(self, index: int = 0) -> Value:
        """Input ``index``, images (N, C, H, W) or lines (N, C, L), channels last.

        Lines are stored as images of one column.
        """
        x = self.value(index)
        if x.rank == 3:
            return self.arranged(x, (2, 0), 3)
        if x.rank != 4:
            raise ValueError(f"input {index} must have rank 3 or 4, not {x.rank}")
        return self.arranged(x, channels_last(3))

    def rearrange(
        self,
        x: Value,
        before: tuple[int, ...],
        shape: Shape,
        after: tuple[int, ...],
        order: tuple[int, ...],
        part: str = "",
    ) -> Value:
        """``x`` with its axes in the order ``before``, reshaped, and its axes in that of ``after``.

        ``order`` is what the result has.
        """
        moved = [axis for axis in before if x.stored[axis] > 1]
        if moved == sorted(moved):  # only axes of size 1 move
            before = tuple(range(len(x.stored)))
        if before == after == tuple(range(len(shape))) and shape == x.stored:
            return replace(x, order=order)
        return self.emit(Rearrange(before, shape, after), x, part=part, order=order)

    def reshaped(self, x: Value, new: Shape, batch: int, part: str = "") -> Value:
        """``x`` in the shape ``new``, in ONNX's order and with the batch, stored as usual."""
        if not new or new[0] != batch:
            raise ValueError("must keep the batch axis")
        if new[1:] == x.shape:
            return x
        order = usual(len(new) - 1)
        after = tuple(sorted(range(len(order)), key=lambda axis: order[axis]))
        return self.rearrange(x, x.before, new[1:], after, order, part)

    def operand(self, index: int, x: Value) -> Float64Array:
        """The constant ``index``, which broadcasts to ``x``, as it is stored.

        A scalar, one per channel (C,) if it only differs along the last axis, or else of as many
        axes as ``x``.
        """
        constant = self.of_all_images(index, x)
        if constant.size == 1:
            return constant.reshape(())
        shape = (1,) * (x.rank - constant.ndim) + constant.shape
        fits = len(shape) == x.rank and all(
            size in (1, other) for size, other in zip(shape, (1, *x.shape), strict=True)
        )
        if not fits:
            raise ValueError(
                f"a constant of the shape {constant.shape} does not fit images of {x.shape}"
            )
        stored = self.stored(constant.reshape(shape), x)
        return stored.reshape(-1) if math.prod(stored.shape[:-1]) == 1 else stored

    def of_all_images(self, index: int, x: Value) -> Float64Array:
        """The weights ``index``; if they are repeated for each image of a fixed batch, once."""
        constant = self.weights(index)
        repeated = constant.ndim == x.rank and constant.shape[0] == self.batch
        return constant[:1] if repeated and (constant == constant[:1]).all() else constant

    def stored(self, constant: Float64Array, x: Value) -> Float64Array:
        """A ``constant`` of the axes of ``x`` in ONNX, that of the batch of size 1, as stored."""
        extra = len(x.stored) - len(x.order)
        by_axis = constant.reshape(*(1,) * extra, *constant.shape[1:])
        return by_axis.transpose(np.argsort(x.before))

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
        return self.of_shape(index, (channels,))

    def of_shape(self, index: int, shape: Shape) -> Float64Array:
        """The weights ``index``, which must have that ``shape``."""
        weights = self.weights(index)
        if weights.shape != shape:
            raise ValueError(f"input {index} must have the shape {shape}, not {weights.shape}")
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

    def axis(self, axis: int, x: Value) -> int:
        """The stored axis of an image for ONNX's ``axis`` of ``x``."""
        if not -x.rank <= axis < x.rank:
            raise ValueError(f"there is no axis {axis} in a value of rank {x.rank}")
        position = axis % x.rank
        if position == x.batch:
            raise ValueError("must keep the batch axis")
        return x.order[position - (position > x.batch)]

    def without(self, x: Value, axes: set[int]) -> Value:
        """``x`` without the stored ``axes``, of size 1, among ONNX's: nothing moves."""
        order = tuple(axis for axis in x.order if axis not in axes)
        before = [axis for axis in x.order[: x.batch] if axis not in axes]
        return replace(x, order=order, batch=len(before))

    def emit(
        self,
        operation: Operation,
        *inputs: Value,
        part: str = "",
        order: tuple[int, ...] | None = None,
        result: int = 0,
        **clip: Any,
    ) -> Value:
        """Add a node to the graph; ``part`` tells several for one ONNX node from each other.

        The one without ``part`` makes the output ``result`` of the ONNX node. ``order`` is that of
        the first input if it is not given.
        """
        function: Callable[..., Shape] = operation.output_shape
        shape = function(*(value.stored for value in inputs))
        if math.prod(shape) > MOST_ELEMENTS or min(shape, default=1) < 1:
            raise ValueError(f"a value of the shape {shape} is too large, or empty")
        names = tuple(value.name for value in inputs)
        suffix = f"/{result}" if result and not part else part
        output = self.outputs[result] + part
        self.nodes.append(Node(self.name + suffix, operation, names, output, **clip))
        integers = isinstance(operation, STRUCTURAL) and inputs[0].integers
        if order is not None:
            return Value(output, shape, order, integers=integers)
        return Value(output, shape, inputs[0].order, inputs[0].batch, integers)
