"""Weighted sums of one or two values."""

from gen.compiler.errors import CompileError
from gen.compiler.lowering.context import Context
from gen.compiler.lowering.two_values import require_scalars, two_values
from gen.compiler.step import Step
from golden.descriptor import Opcode
from networks.quantization.network import IntegerNode
from networks.quantization.operations import Combine, Requantization


def lower_combine(context: Context, node: IntegerNode, combine: Combine) -> None:
    """The step of a sum, or of a scale for each channel."""
    if not isinstance(combine.requantization, Requantization):
        raise CompileError(f"{node.name}: results are integers of 16 bits, which is not supported")
    if len(node.inputs) > 2:
        raise CompileError(
            f"{node.name}: a sum of {len(node.inputs)} values rounds once, and sums of two would "
            "more often"
        )
    weights = list(combine.multipliers)
    finish = combine.requantization
    if len(node.inputs) == 2:
        pair = two_values(context, node)
        inputs, broadcast, opcode = [*pair.values], pair.broadcast, Opcode.COMBINE
        weights = weights[::-1] if pair.swapped else weights
    else:
        inputs, broadcast, opcode = [context.value(node)], False, Opcode.SUM
    first = inputs[0]
    require_scalars(node, first, *weights, combine.bias, finish.multiplier, finish.shift)
    stream = context.channels(node.name, first.channels, combine.bias, finish, node.clip, weights)
    output = context.like(node, first)
    step = Step(node.name, opcode, (*inputs,), output, stream, broadcast=broadcast)
    context.add(node, output, [step])
