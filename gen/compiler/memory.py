"""Where programs, parameters and tensors lie in memory."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gen.compiler.allocation import Allocation
from gen.compiler.step import Step
from gen.compiler.values import Buffer, Value
from golden.accelerator.shape import AcceleratorShape, Bytes


@dataclass
class MemoryMap:
    """What lies in memory behind the program: streams and tables, the input, then what is written.

    Addresses are from the end of the program on; all start with a line.
    """

    constants: Bytes
    addresses: dict[bytes, int]
    tensors: dict[Buffer, int]
    written: int
    size: int

    def of(self, data: Bytes) -> int:
        """The address of a stream or a table."""
        return self.addresses[data.tobytes()]


def memory_map(
    shape: AcceleratorShape, steps: Sequence[Step], allocation: Allocation, *ends: Value
) -> MemoryMap:
    """The places of all that ``steps`` read from memory, and of the network's ``ends``."""
    parts: list[Bytes] = []
    addresses: dict[bytes, int] = {}
    size = 0
    for step in steps:
        for data in (step.stream, step.table):
            if data is not None and data.tobytes() not in addresses:
                addresses[data.tobytes()] = size
                parts.append(np.pad(data, (0, -len(data) % shape.line_bytes)))
                size += len(parts[-1])
    values = [*ends, *(value for step in steps for value in (*step.inputs, step.output))]
    roots = dict.fromkeys(value.buffer.root for value in values)
    outside = [*(end.buffer.root for end in ends)]
    in_memory = [root for root in roots if root in outside or root not in allocation.lines]
    tensors: dict[Buffer, int] = {}
    written = size
    for root in sorted(in_memory, key=lambda root: root.is_made):
        tensors[root] = size
        count = shape.memory_bytes(root.lines(shape), root in allocation.encoded)
        size += -(-count // shape.line_bytes) * shape.line_bytes
        if not root.is_made:
            written = size
    return MemoryMap(np.concatenate(parts), addresses, tensors, written, size)
