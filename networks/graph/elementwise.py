"""Operations that make each element of the elements in its place, images channels-last."""

from dataclasses import dataclass

import numpy as np

from networks.fixed_point import Float64Array
from networks.graph.expression import Expression
from networks.graph.lowering import Array, Shape


@dataclass(frozen=True)
class Affine:
    """``scale * x + offset``, both float64 (C,): one of each per channel (the last axis).

    Or of any other shape that broadcasts to that of an image.
    """

    scale: Float64Array
    offset: Float64Array

    def output_shape(self, shape: Shape) -> Shape:
        """Shape of the output; ``ValueError`` for an input that does not fit."""
        for constant in (self.scale, self.offset):
            if not _broadcasts_to(constant.shape, shape):
                raise ValueError(
                    f"constants of the shape {constant.shape} do not fit an input of shape {shape}"
                )
        return shape

    def __call__(self, x: Float64Array) -> Float64Array:
        return x * self.scale + self.offset


@dataclass(frozen=True)
class Sum:
    """The sum of one or more values, each times its factor if there are ``factors``.

    Their shapes are of one rank and broadcast.
    """

    factors: tuple[float, ...] = ()

    def output_shape(self, *shapes: Shape) -> Shape:
        """Shape of the output; ``ValueError`` for inputs that do not fit each other."""
        return _broadcast("add", *shapes)

    def __call__(self, *values: Float64Array) -> Float64Array:
        factors = self.factors or (1.0,) * len(values)
        total = values[0] if factors[0] == 1 else factors[0] * values[0]
        for factor, value in zip(factors[1:], values[1:], strict=True):
            total = total + (value if factor == 1 else factor * value)
        return total


@dataclass(frozen=True)
class Product:
    """The product of two values, whose shapes are of one rank and broadcast, times ``factor``.

    That is a positive number, or one per channel, float64 (C,).
    """

    factor: float | Float64Array = 1.0

    def output_shape(self, *shapes: Shape) -> Shape:
        """Shape of the output; ``ValueError`` for inputs that do not fit each other."""
        return _broadcast("multiply", *shapes)

    def __call__(self, x: Float64Array, y: Float64Array) -> Float64Array:
        return x * y * self.factor


@dataclass(frozen=True)
class Quotient:
    """The first of two values over the second; their shapes are of one rank and broadcast."""

    def output_shape(self, *shapes: Shape) -> Shape:
        """Shape of the output; ``ValueError`` for inputs that do not fit each other."""
        return _broadcast("divide", *shapes)

    def __call__(self, x: Float64Array, y: Float64Array) -> Float64Array:
        with np.errstate(divide="ignore", invalid="ignore"):
            return x / y


@dataclass(frozen=True)
class Largest:
    """The largest of some values, whose shapes are of one rank and broadcast."""

    def output_shape(self, *shapes: Shape) -> Shape:
        """Shape of the output; ``ValueError`` for inputs that do not fit each other."""
        return _broadcast("compare", *shapes)

    def __call__(self, *values: Array) -> Array:
        result = values[0]
        for value in values[1:]:
            result = np.maximum(result, value)
        return result


@dataclass(frozen=True)
class Smallest:
    """The smallest of some values, whose shapes are of one rank and broadcast."""

    def output_shape(self, *shapes: Shape) -> Shape:
        """Shape of the output; ``ValueError`` for inputs that do not fit each other."""
        return _broadcast("compare", *shapes)

    def __call__(self, *values: Array) -> Array:
        result = values[0]
        for value in values[1:]:
            result = np.minimum(result, value)
        return result


@dataclass(frozen=True)
class Function:
    """A function of each element; its constants may differ between channels (the last axis)."""

    expression: Expression

    def output_shape(self, shape: Shape) -> Shape:
        """Shape of the output; ``ValueError`` for an input that does not fit."""
        channels = self.expression.channels
        if channels is not None and (not shape or shape[-1] != channels):
            raise ValueError(f"{channels} channels do not fit an input of shape {shape}")
        return shape

    def __call__(self, x: Float64Array) -> Float64Array:
        return self.expression(x)


def _broadcasts_to(constant: Shape, shape: Shape) -> bool:
    aligned = shape[len(shape) - len(constant) :]
    return len(constant) <= len(shape) and all(
        size in (1, other) for size, other in zip(constant, aligned, strict=True)
    )


def _broadcast(verb: str, *shapes: Shape) -> Shape:
    shown = ", ".join(map(str, shapes))
    if len({len(shape) for shape in shapes}) != 1:
        raise ValueError(f"values to {verb} must have one rank, not the shapes {shown}")
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError:
        raise ValueError(f"values to {verb} must have shapes that broadcast, not {shown}") from None
