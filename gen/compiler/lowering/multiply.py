"""Products of two values."""

from gen.compiler.lowering.context import Context
from gen.compiler.lowering.two_values import require_scalars, two_values
from gen.compiler.step import Step
from golden.descriptor import Opcode
from networks.quantization.network import IntegerNode
from networks.quantization.operations import Multiply


def lower_multiply(context: Context, node: IntegerNode, multiply: Multiply) -> None:
    """The step of a product, such as that with a gate for each channel."""
    values, broadcast, swapped = two_values(context, node)
    zero, other_zero = multiply.zero_points[::-1] if swapped else multiply.zero_points
    first, finish = values[0], multiply.requantization
    require_scalars(node, first, finish.multiplier, finish.shift)
    stream = context.channels(node.name, first.channels, 0, finish, node.clip)
    output = context.like(node, first)
    step = Step(
        *(node.name, Opcode.PRODUCT, values, output, stream),
        zero_point=zero,
        other_zero_point=other_zero,
        broadcast=broadcast,
    )
    context.add(node, output, [step])
