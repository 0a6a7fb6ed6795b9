"""What takes two values of one shape, or of which one is a pixel for all of the other."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gen.compiler.errors import CompileError
from gen.compiler.lowering.context import Context
from gen.compiler.values import Value
from networks.quantization.network import IntegerNode


class TwoValues(NamedTuple):
    """Two values, the second perhaps one pixel for all; ``swapped`` if that was the first one."""

    values: tuple[Value, Value]
    broadcast: bool
    swapped: bool


def two_values(context: Context, node: IntegerNode) -> TwoValues:
    """The inputs of ``node``; they are multiplied, each other or by their scales."""
    if not context.shape.multiplies:
        raise CompileError(
            f"{node.name}: two values are multiplied, or scaled, and the accelerator has no "
            "multipliers in its vector unit (lanes 0)"
        )
    x, y = context.value(node, 0), context.value(node, 1)
    if x.shape == y.shape and (x.height, x.width) == (y.height, y.width):
        return TwoValues((x, y), False, False)
    if x.channels == y.channels and not x.is_flattened and not y.is_flattened:
        if y.pixels == 1:
            return TwoValues((x, y), True, False)
        if x.pixels == 1:
            return TwoValues((y, x), True, True)
    raise CompileError(
        f"{node.name}: values must have one shape, or one of them be a pixel for all of the other, "
        f"not have the shapes {x.shape} and {y.shape}"
    )


def require_scalars(node: IntegerNode, value: Value, *constants: npt.ArrayLike) -> None:
    """Refuse constants of their own for features that are pixels and channels."""
    if value.is_flattened and any(np.size(each) > 1 for each in constants):
        raise CompileError(
            f"{node.name}: constants of each feature of an input of shape {value.shape}, which "
            "are not channels"
        )
