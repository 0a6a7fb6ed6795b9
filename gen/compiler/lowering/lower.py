"""A network as steps: each node by its kind."""

from collections.abc import Callable
from typing import Any

from gen.compiler.errors import CompileError
from gen.compiler.lowering.activations import require_bytes
from gen.compiler.lowering.combine import lower_combine
from gen.compiler.lowering.context import Context
from gen.compiler.lowering.look_up import lower_look_up
from gen.compiler.lowering.matrix import lower_matrix
from gen.compiler.lowering.movement import (
    lower_concat,
    lower_pad,
    lower_rearrange,
    lower_slice,
)
from gen.compiler.lowering.multiply import lower_multiply
from gen.compiler.lowering.pools import lower_average_pool, lower_max_pool
from gen.compiler.values import new_value
from golden.accelerator.shape import AcceleratorShape
from networks.graph.elementwise import Largest, Smallest
from networks.graph.movement import Concat, Expand, Pad, Rearrange, Slice, Spread, Take
from networks.graph.operations import MaxPool
from networks.quantization.network import QuantizedNetwork
from networks.quantization.operations import (
    Combine,
    Divide,
    IntegerAveragePool,
    IntegerInterpolate,
    IntegerMaskedMean,
    IntegerMatrixLayer,
    IntegerNormalization,
    IntegerSoftmax,
    LookUp,
    LookUpRow,
    Multiply,
    MultiplyMatrices,
)

LOWERINGS: dict[type, Callable[[Context, Any, Any], None]] = {
    IntegerMatrixLayer: lower_matrix,
    Combine: lower_combine,
    IntegerAveragePool: lower_average_pool,
    MaxPool: lower_max_pool,
    LookUp: lower_look_up,
    Multiply: lower_multiply,
    Concat: lower_concat,
    Slice: lower_slice,
    Rearrange: lower_rearrange,
    Pad: lower_pad,
}
REFUSED: dict[type, str] = {
    Divide: "a quotient of two values",
    IntegerInterpolate: "an interpolation between pixels",
    MultiplyMatrices: "a product of two values as matrices",
    IntegerSoftmax: "a softmax",
    IntegerNormalization: "a layer normalization",
    IntegerMaskedMean: "a mean under a mask",
    LookUpRow: "an embedding",
    Largest: "the largest of several values",
    Smallest: "the smallest of several values",
    Take: "a choice of positions",
    Expand: "a repetition along an axis",
    Spread: "a spreading of pixels",
}
"""What no step is."""


def lower(shape: AcceleratorShape, network: QuantizedNetwork) -> Context:
    """The steps of ``network``, in its order, and its values.

    Raises ``CompileError`` for what an accelerator of ``shape`` cannot run.
    """
    require_bytes(shape)
    context = Context(shape, network)
    size = network.input_shape
    if not 1 <= len(size) <= 3:
        raise CompileError(f"{network.source}: an input must have up to three axes, not {size}")
    context.values[network.source] = new_value(shape, network.source, size, is_made=False)
    for node in network.nodes:
        kind = type(node.operation)
        if kind in REFUSED:
            raise CompileError(f"{node.name}: {REFUSED[kind]} does not run on an accelerator")
        LOWERINGS[kind](context, node, node.operation)
    return context
