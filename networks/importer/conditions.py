"""ONNX's conditions, as masks of sequences are spelled: comparisons, and choices by them.

A condition is a function of 0 and 1 of the integers that it is made of.
"""

import numpy as np

from networks.graph.elementwise import Affine, Function, Sum
from networks.graph.expression import X, apply
from networks.importer.context import Context, Value
from networks.importer.masks import LEAST_PENALTY

LARGEST = float(np.finfo(np.float32).max)
"""Stands for infinity."""


def non_zero(node: Context) -> Value:
    """Cast to truth values: 1 of what is not 0."""
    return node.emit(Function(apply("greater", apply("absolute", X), 0.0)), node.value())


def equal(node: Context) -> Value:
    """Equal, of integers and a constant."""
    index = 1 if isinstance(node.inputs[1], np.ndarray) else 0
    x = node.value(1 - index)
    if not x.integers:
        raise ValueError("an input of integers must be compared with a constant, and nothing else")
    distance = apply("absolute", apply("subtract", X, _number(node, index)))
    return node.emit(Function(apply("subtract", 1.0, apply("greater", distance, 0.0))), x)


def logical_not(node: Context) -> Value:
    """Not."""
    return _affine(node, node.value(), -1.0, 1.0)


def where(node: Context) -> Value:
    """Where: a number, in place of minus infinity, where a mask says so, and a value elsewhere.

    Or one of two numbers. The first number is added to the value: both are nothing to a softmax.
    """
    places = [index for index in (1, 2) if not isinstance(node.inputs[index], np.ndarray)]
    numbers = {
        index: float(np.clip(_number(node, index), -LARGEST, LARGEST))
        for index in (1, 2)
        if index not in places
    }
    if not places:
        return _affine(node, node.value(), numbers[1] - numbers[2], numbers[2])
    if len(places) == 2 or min(numbers.values()) > -LEAST_PENALTY:
        raise ValueError(
            f"a condition must choose between two numbers, or a value and a number of at most "
            f"{-LEAST_PENALTY:g}"
        )
    condition, value = node.values([0, *places])
    [(index, penalty)] = numbers.items()
    scale, offset = (penalty, 0.0) if index == 1 else (-penalty, penalty)
    return node.emit(Sum(), value, _affine(node, condition, scale, offset, "/penalty"))


def _number(node: Context, index: int) -> float:
    constant = node.constant(index)
    if constant.size != 1 or np.isnan(constant).any():
        raise ValueError(f"input {index} must be one number, not {constant.size}")
    return float(constant.reshape(()))


def _affine(node: Context, x: Value, scale: float, offset: float, part: str = "") -> Value:
    channels = x.stored[-1]
    return node.emit(Affine(np.full(channels, scale), np.full(channels, offset)), x, part=part)
