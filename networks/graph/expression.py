"""Functions of one number, composed of elementary ones."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Union

import numpy as np

from networks import elementary
from networks.fixed_point import Float64Array

FUNCTIONS: dict[str, Callable[..., Any]] = {
    "absolute": np.abs,
    "add": np.add,
    "ceil": np.ceil,
    "divide": np.divide,
    "erf": elementary.erf,
    "exp": elementary.exp,
    "floor": np.floor,
    "greater": lambda x, y: np.greater(x, y).astype(np.float64),
    "log": elementary.log,
    "maximum": np.maximum,
    "minimum": np.minimum,
    "multiply": np.multiply,
    "power": elementary.power,
    "rint": np.rint,
    "sigmoid": elementary.sigmoid,
    "sign": np.sign,
    "softplus": elementary.softplus,
    "sqrt": np.sqrt,
    "subtract": np.subtract,
    "tanh": elementary.tanh,
}
"""What an expression is made of, the same bits on every machine."""

_CACHED_ELEMENTS = 1 << 14
"""Elements that an expression is evaluated for in one go, so that its parts stay in the cache."""
_NEVER_NEGATIVE = {"absolute", "exp", "greater", "sigmoid", "softplus", "sqrt"}
_KEEPS_SIGN = {"ceil", "erf", "floor", "rint", "sign", "tanh"}
_LINEAR = {"add", "divide", "multiply", "subtract"}


@dataclass(frozen=True, eq=False)
class Expression:
    """A function of one number, ``x``: one of ``FUNCTIONS`` of expressions and constants.

    Constants are float64, a scalar or one per channel (C,): ``x`` has its channels last then.
    """

    function: str
    operands: tuple[Union["Expression", Float64Array], ...] = ()

    def __call__(self, x: Float64Array) -> Float64Array:
        """The value for each element of ``x`` (..., C)."""
        if x.size <= _CACHED_ELEMENTS or x.ndim < 2:
            return self._of(x)
        rows = x.reshape(-1, x.shape[-1])
        result = np.empty_like(rows)
        count = max(1, _CACHED_ELEMENTS // x.shape[-1])
        for top in range(0, len(rows), count):
            result[top : top + count] = self._of(rows[top : top + count])
        return result.reshape(x.shape)

    def _of(self, x: Float64Array) -> Float64Array:
        made: dict[int, Float64Array] = {}

        def value(part: Expression | Float64Array) -> Float64Array:
            if not isinstance(part, Expression):
                return part
            if part.function == "x":
                return x
            if id(part) not in made:
                operands = [value(operand) for operand in part.operands]
                made[id(part)] = FUNCTIONS[part.function](*operands)
            return made[id(part)]

        with np.errstate(all="ignore"):
            return np.broadcast_to(value(self), x.shape)

    @property
    def channels(self) -> int | None:
        """How many channels it has constants for; None if it is the same for all."""
        parts = [
            part.channels if isinstance(part, Expression) else len(part) if part.ndim else None
            for part in self.operands
        ]
        return next((channels for channels in parts if channels is not None), None)

    def of(self, inner: "Expression") -> "Expression":
        """This function of ``inner``."""
        made: dict[int, Expression] = {}

        def replaced(part: Expression | Float64Array) -> Expression | Float64Array:
            if not isinstance(part, Expression):
                return part
            if part.function == "x":
                return inner
            if id(part) not in made:
                operands = tuple(replaced(operand) for operand in part.operands)
                made[id(part)] = Expression(part.function, operands)
            return made[id(part)]

        result = replaced(self)
        assert isinstance(result, Expression)
        return result

    def never_negative(self, of_non_negative: bool) -> bool:
        """Whether no value can be negative, of any ``x`` or of those that are not.

        A value that this says nothing of may be so all the same.
        """
        if self.function == "x":
            return of_non_negative
        signs = [
            part.never_negative(of_non_negative)
            if isinstance(part, Expression)
            else bool((part >= 0).all())
            for part in self.operands
        ]
        if self.function in _NEVER_NEGATIVE or (self.function == "maximum" and any(signs)):
            return True
        if self.function == "power":
            exponent = self.operands[1]
            return signs[0] or (not isinstance(exponent, Expression) and float(exponent) % 2 == 0)
        if self.function == "multiply" and self.operands[0] is self.operands[1]:
            return True
        return self.function in _KEEPS_SIGN | {"add", "divide", "minimum", "multiply"} and all(
            signs
        )

    def linear(self) -> tuple[Float64Array, Float64Array] | None:
        """Scale and offset, if this is ``scale * x + offset``; None if it seems not to be."""
        if self.function == "x":
            return np.ones(()), np.zeros(())
        if self.function not in _LINEAR:
            return None
        parts = [
            part.linear() if isinstance(part, Expression) else (np.zeros(()), part)
            for part in self.operands
        ]
        first, second = parts
        if first is None or second is None:
            return None
        if self.function == "multiply" and second[0].any():
            first, second = second, first
        (scale, offset), (other_scale, other_offset) = first, second
        if self.function == "add":
            return scale + other_scale, offset + other_offset
        if self.function == "subtract":
            return scale - other_scale, offset - other_offset
        if other_scale.any():
            return None
        if self.function == "multiply":
            return scale * other_offset, offset * other_offset
        if not other_offset.all():
            return None
        return scale / other_offset, offset / other_offset


X = Expression("x")
"""The number itself."""


def apply(function: str, *operands: Expression | Float64Array | float) -> Expression:
    """The expression of one of ``FUNCTIONS``."""
    parts = (
        operand if isinstance(operand, Expression) else np.asarray(operand, np.float64)
        for operand in operands
    )
    return Expression(function, tuple(parts))


def limited(x: Expression, low: float, high: float) -> Expression:
    """``x`` within limits."""
    above = x if low == -np.inf else apply("maximum", x, low)
    return above if high == np.inf else apply("minimum", above, high)
