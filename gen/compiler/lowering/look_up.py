"""Tables of bytes: with the results that they are of, where nothing else takes these."""

import numpy as np

from gen.compiler.errors import CompileError
from gen.compiler.lowering.context import BYTE, Context
from networks.quantization.network import IntegerNode
from networks.quantization.operations import LookUp


def lower_look_up(context: Context, node: IntegerNode, look_up: LookUp) -> None:
    """A table of what is written before, or a step of its own."""
    tables = look_up.table.reshape(-1, look_up.table.shape[-1])
    if (tables != tables[0]).any():
        raise CompileError(f"{node.name}: a table must be the same for all channels")
    table = np.clip(tables[0], *(node.clip or BYTE)).astype(np.uint8)
    (name,) = node.inputs
    value, makers = context.value(node), context.makers.get(name, [])
    if makers and context.uses[name] == 1 and all(step.table is None for step in makers):
        for step in makers:
            step.table = table
        context.values[node.output] = value
        return
    output = context.like(node, value)
    context.add(node, output, [context.copy(node.name, value, output, table=table)])
