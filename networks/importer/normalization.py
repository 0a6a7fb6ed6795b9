"""Layer normalization as exporters spell it out."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import onnx
from onnx import helper

from networks.graph.lowering import Array

Constants = Callable[[str], Array | None]
"""The constant called so, if it is one."""


class SpelledOut(NamedTuple):
    """What is normalized, along which of ONNX's axes, and what is added to the variance."""

    value: str
    axis: int
    epsilon: float


def spelled_out(
    node: onnx.NodeProto, producers: Mapping[str, onnx.NodeProto], constants: Constants
) -> SpelledOut | None:
    """The normalization whose last step is ``node``, a Div; None if it is none.

    That is ``d / sqrt(mean(d * d) + epsilon)`` where ``d = x - mean(x)``, along one axis.
    """

    def made(name: str, *operators: str) -> onnx.NodeProto | None:
        producer = producers.get(name)
        return producer if producer is not None and producer.op_type in operators else None

    def mean(name: str) -> tuple[str, int] | None:
        """What is averaged along one axis, and that axis; the axis stays."""
        reduction = made(name, "ReduceMean")
        if reduction is None:
            return None
        attributes = {a.name: helper.get_attribute_value(a) for a in reduction.attribute}
        axes = attributes.get("axes")
        if len(reduction.input) > 1:
            given = constants(reduction.input[1])
            axes = None if given is None else given.ravel().tolist()
        if not axes or len(axes) != 1 or attributes.get("keepdims", 1) != 1:
            return None
        return reduction.input[0], int(axes[0])

    def centred(name: str) -> tuple[str, int] | None:
        """The value that its mean along an axis is taken from."""
        difference = made(name, "Sub")
        found = None if difference is None else mean(difference.input[1])
        if difference is None or found is None or found[0] != difference.input[0]:
            return None
        return found

    def square(name: str) -> str | None:
        product = made(name, "Mul", "Pow")
        if product is None or len(product.input) != 2:
            return None
        if product.op_type == "Mul":
            return product.input[0] if product.input[0] == product.input[1] else None
        exponent = constants(product.input[1])
        two = exponent is not None and exponent.size == 1 and float(exponent.ravel()[0]) == 2
        return product.input[0] if two else None

    if len(node.input) != 2:
        return None
    numerator, root = centred(node.input[0]), made(node.input[1], "Sqrt")
    inside = None if root is None else made(root.input[0], "Add")
    if numerator is None or inside is None:
        return None
    for variance, added in (inside.input, inside.input[::-1]):
        epsilon, averaged = constants(added), mean(variance)
        if epsilon is not None and epsilon.size == 1 and averaged is not None:
            squared = square(averaged[0])
            same = squared is not None and centred(squared) == numerator
            if same and averaged[1] == numerator[1]:
                return SpelledOut(*numerator, float(np.ravel(epsilon)[0]))
    return None
