"""Average and largest under a patch."""

from dataclasses import replace

import numpy as np

from gen.compiler.errors import CompileError
from gen.compiler.lowering.context import AS_IT_IS, Context
from gen.compiler.step import Step
from golden.descriptor import Opcode
from networks.graph.operations import MaxPool
from networks.quantization.network import IntegerNode
from networks.quantization.operations import IntegerAveragePool


def lower_average_pool(context: Context, node: IntegerNode, pool: IntegerAveragePool) -> None:
    """The step of sums under a patch, requantized unless they are logits."""
    own = pool.pool.patch
    zero, finish = pool.input_zero_point, pool.requantization
    value, patch, pad_byte = context.image(node, own, zero)
    if finish is not None:
        if np.ptp(finish.multiplier) or np.ptp(finish.shift):
            raise CompileError(
                f"{node.name}: averages of fewer pixels at the border, where padding is not "
                "counted, are not supported"
            )
        multiplier, shift = finish.multiplier.reshape(-1)[:1], finish.shift.reshape(-1)[:1]
        finish = replace(finish, multiplier=multiplier, shift=shift)
    size = patch.output_shape(value.shape, value.channels)
    output = context.new(node, size, has_sums=finish is None)
    taps = own.kernel[0] * own.kernel[1]
    stream = context.channels(node.name, value.channels, -zero * taps, finish, node.clip, [1])
    step = Step(
        *(node.name, Opcode.SUM, (value,), output, stream, patch, pad_byte),
        uniform=True,
        sums=finish is None,
    )
    context.add(node, output, [step])


def lower_max_pool(context: Context, node: IntegerNode, pool: MaxPool) -> None:
    """The step of the largest under a patch; padding of 0 is never larger."""
    value, patch, pad_byte = context.image(node, pool.patch, 0)
    size = patch.output_shape(value.shape, value.channels)
    output = context.new(node, size)
    stream = context.channels(node.name, value.channels, 0, AS_IT_IS, node.clip)
    step = Step(node.name, Opcode.MAX, (value,), output, stream, patch, pad_byte)
    context.add(node, output, [step])
