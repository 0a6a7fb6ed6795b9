"""A network in integers alone."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from networks.graph.graph import propagate
from networks.graph.lowering import Array, Shape
from networks.quantization.arithmetic import Arithmetic
from networks.quantization.compiled import run
from networks.quantization.operations import (
    Bytes,
    IntegerMatrixLayer,
    IntegerOperation,
    Quantization,
)


@dataclass(frozen=True)
class IntegerNode:
    """An operation, the values it takes and makes, and the bytes that its result is clipped to.

    ``clip`` is None where limits are those of a byte, as those of ReLU are if 0 stands for 0.
    """

    name: str
    operation: IntegerOperation
    inputs: tuple[str, ...]
    output: str
    clip: tuple[int, int] | None = None

    def clipped(self, value: Array) -> Array:
        """``value`` within the limits."""
        return value if self.clip is None else np.clip(value, *self.clip)

    def value(
        self, arithmetic: Arithmetic, values: Sequence[Array], compiled: bool = True
    ) -> Array:
        """What it makes of ``values``, products in ``arithmetic``; by NumPy if not ``compiled``."""
        operation: Any = self.operation
        made = run(operation, values, arithmetic, self.clip) if compiled else None
        if made is not None:
            return made
        if isinstance(operation, IntegerMatrixLayer):
            return self.clipped(operation.finish(operation.biased(arithmetic(operation, *values))))
        return self.clipped(operation(*values))


@dataclass(frozen=True)
class QuantizedNetwork:
    """A network in integers from its input to its logits; made by :func:`quantize`.

    ``quantizations`` says what the integers of each value stand for; of a value called as in the
    graph it was made of, the same.
    """

    source: str
    input_shape: Shape
    nodes: tuple[IntegerNode, ...]
    output: str
    quantizations: Mapping[str, Quantization]

    @property
    def layers(self) -> tuple[IntegerMatrixLayer, ...]:
        """The layers that multiply with weights, in order."""
        operations = (node.operation for node in self.nodes)
        return tuple(op for op in operations if isinstance(op, IntegerMatrixLayer))

    def quantize_images(self, images: npt.NDArray[Any]) -> Any:
        """``images`` (N, ...), channels-last as the float network takes them, as bytes.

        Integers, of tokens and masks, stay as they are.
        """
        if images.dtype.kind == "i":
            return images
        step, zero_point = self.quantizations[self.source]
        scaled = np.rint(images.astype(np.float64) / step) + zero_point
        result: Bytes = np.clip(scaled, 0, 255).astype(np.uint8)
        return result

    def forward(
        self,
        images: Bytes,
        arithmetic: Arithmetic,
        observe: Callable[[IntegerNode, Array], None] = lambda node, value: None,
        before: Callable[[IntegerMatrixLayer, Bytes], None] = lambda layer, x: None,
        compiled: bool = True,
    ) -> Array:
        """Logits, integers (N, classes), of ``images`` from :meth:`quantize_images`.

        Products run in ``arithmetic``; ``observe`` is called with every node and its value, and
        ``before`` with every layer that has products and its input. Without ``compiled`` all is
        left to NumPy: the same, but slower.
        """

        def apply(node: IntegerNode, *values: Array) -> Array:
            operation: Any = node.operation
            if isinstance(operation, IntegerMatrixLayer):
                before(operation, *values)
            value = node.value(arithmetic, values, compiled)
            observe(node, value)
            return value

        logits = propagate(self.nodes, self.source, images, self.output, apply)
        return logits.reshape(len(images), prod(logits.shape[1:]))
