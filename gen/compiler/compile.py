"""A network in integers as a program of an accelerator."""

from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from gen.compiler.allocation import Allocation, allocate
from gen.compiler.emission import emit
from gen.compiler.encoding import encodable
from gen.compiler.errors import CompileError, RangeError
from gen.compiler.image import MemoryImage, OutputScales, TensorPlace
from gen.compiler.lowering.context import Context
from gen.compiler.lowering.lower import lower
from gen.compiler.memory import memory_map
from gen.compiler.splitting import split_large
from gen.compiler.step import Step
from gen.compiler.values import Buffer, Value
from golden.accelerator.shape import AcceleratorShape
from golden.descriptor import Descriptor
from networks.quantization.network import QuantizedNetwork
from networks.quantization.operations import Alignment, Quantization

MAX_MEMORY = 1 << 32


@dataclass(frozen=True)
class CompiledNetwork:
    """A program with its memory, and how it came about.

    ``layers`` has for each descriptor the name of its layer.
    """

    image: MemoryImage
    program: tuple[Descriptor, ...]
    layers: tuple[str, ...]
    steps: tuple[Step, ...]
    allocation: Allocation
    tensors: dict[str, TensorPlace]
    """Of each value of the network that lies in memory, by its name."""

    @property
    def in_memory(self) -> set[Buffer]:
        """What programs make, keep in memory, and take from there again: whole tensors."""
        made = {step.output.buffer.root for step in self.steps}
        read = {value.buffer.root for step in self.steps for value in step.inputs}
        return (made & read).difference(self.allocation.lines)


def compile_network(shape: AcceleratorShape, network: QuantizedNetwork) -> CompiledNetwork:
    """The program of ``network`` for an accelerator of ``shape``.

    What it computes equals ``network.forward`` in the arithmetic of the machine, bit for bit. The
    same network has the same program everywhere. Raises ``CompileError`` for one that cannot run.
    """
    context, source, output, steps, allocation = _plan(shape, network)
    memory = memory_map(shape, steps, allocation, source, output)
    emitted = emit(shape, steps, allocation, memory, output)
    size = emitted.reads.size
    if size >= MAX_MEMORY:
        raise CompileError(f"{network.output}: the memory takes {size} bytes, beyond 32 bits")
    start = size - memory.size

    def place(value: Value) -> TensorPlace:
        root = value.buffer.root
        return TensorPlace(
            start + memory.tensors[root],
            *(value.height, value.width, value.channels),
            *(root.words, value.first_word, value.words),
            sums=value.buffer.has_sums,
            encoded=root in allocation.encoded,
        )

    # The program as it lies in memory.
    program = np.concatenate([each.words() for each in emitted.descriptors]).view(np.uint8)
    constants = np.concatenate([np.pad(program, (0, start - len(program))), memory.constants])
    quantization = network.quantizations[network.source]
    image = MemoryImage(
        shape,
        constants,
        size,
        emitted.reads,
        emitted.writes,
        place(source),
        place(output),
        _scales(network, output),
        float(quantization.step),
        int(quantization.zero_point),
    )
    tensors = {
        name: place(value)
        for name, value in context.values.items()
        if value.buffer.root in memory.tensors
    }
    return CompiledNetwork(
        image,
        tuple(emitted.descriptors),
        tuple(emitted.layers),
        tuple(steps),
        allocation,
        tensors,
    )


def require_room(shape: AcceleratorShape, network: QuantizedNetwork) -> None:
    """Raise the ``CompileError`` of a network that cannot run whatever the ranges of its values.

    That comes of its layers, their sizes and weights; it takes a part of the time of compiling.
    """
    with suppress(RangeError):
        _plan(shape, network)


class _Plan(NamedTuple):
    """The steps of a network, and where they find what."""

    context: Context
    source: Value
    output: Value
    steps: list[Step]
    allocation: Allocation


def _plan(shape: AcceleratorShape, network: QuantizedNetwork) -> _Plan:
    context = lower(shape, network)
    source, output = context.values[network.source], context.values.get(network.output)
    if not context.steps or output is None or not output.buffer.root.is_made:
        raise CompileError(f"{network.output}: nothing computes the output")
    steps = [*split_large(shape, context.steps)]
    outside = source.buffer.root, output.buffer.root
    allocation = allocate(shape, steps, output, encodable(shape, steps, outside))
    return _Plan(context, source, output, steps, allocation)


def _scales(network: QuantizedNetwork, output: Value) -> OutputScales:
    """Those of the layer whose sums the output is; else of bytes, that stay as they are."""
    step, zero_point = network.quantizations.get(network.output, Quantization(1.0, 0))
    multiplier, shift = np.ones(1, np.int64), np.zeros(1, np.int64)
    if output.buffer.has_sums:
        for layer in network.layers:
            if isinstance(layer.finish, Alignment):
                multiplier, shift = layer.finish.multiplier, layer.finish.shift
    return OutputScales(
        tuple(int(each) for each in multiplier),
        tuple(int(each) for each in shift),
        float(step),
        int(zero_point),
    )
