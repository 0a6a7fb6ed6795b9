"""What moves values: by address where that can be."""

from dataclasses import replace

import numpy as np

from gen.compiler.errors import CompileError
from gen.compiler.lowering.context import Context, Padded
from gen.compiler.values import Buffer, Value
from networks.graph.lowering import Patch
from networks.graph.movement import Concat, Pad, Rearrange, Slice
from networks.graph.operations import MaxPool
from networks.quantization.network import IntegerNode
from networks.quantization.operations import IntegerAveragePool, IntegerMatrixLayer


def lower_concat(context: Context, node: IntegerNode, concat: Concat) -> None:
    """Values become parts of one tensor; what is one of another already, or no result, is copied.

    Parts are whole words of channels, but for the last.
    """
    values = [context.value(node, index) for index in range(len(node.inputs))]
    steps = context.shape.k_per_cycle
    if any(v.is_flattened for v in values) or concat.axis != len(values[0].shape):
        raise CompileError(f"{node.name}: values are joined along their channels alone")
    for name, value in zip(node.inputs[:-1], values[:-1], strict=True):
        if value.channels % steps:
            raise CompileError(
                f"{node.name}: parts that are joined must be whole words of {steps} channels, not "
                f"{value.channels} channels as {name}"
            )
    first = values[0]
    size = (*first.shape[:-1], sum(value.channels for value in values))
    joined = context.new(node, size)
    if node.clip is not None:
        raise CompileError(f"{node.name}: joined values are not clipped on an accelerator")
    word = 0
    for name, value in zip(node.inputs, values, strict=True):
        if _can_move(value):
            value.buffer.whole, value.buffer.word = joined.buffer, word
        else:
            part = replace(value, buffer=joined.buffer, word=word)
            context.steps.append(context.copy(f"{node.name}: {name}", value, part))
        word += value.words
    context.values[node.output] = joined


def _can_move(value: Value) -> bool:
    buffer: Buffer = value.buffer
    return buffer.is_made and buffer.whole is None and value.is_whole


def lower_slice(context: Context, node: IntegerNode, cut: Slice) -> None:
    """Whole words of channels, where they are."""
    value, steps = context.value(node), context.shape.k_per_cycle
    ranges = [range(size)[part] for size, part in zip(value.shape, cut.slices, strict=True)]
    *others, channels = ranges
    if any(kept != range(size) for kept, size in zip(others, value.shape[:-1], strict=True)):
        raise CompileError(f"{node.name}: slices are of channels alone, not of pixels")
    last = value.shape[-1]
    in_words = channels.start % steps == 0 and (channels.stop % steps == 0 or channels.stop == last)
    if value.is_flattened or channels.step != 1 or not in_words:
        raise CompileError(
            f"{node.name}: a slice must be whole words of {steps} channels, not "
            f"{channels.start}:{channels.stop}:{channels.step} of {last}"
        )
    word = channels.start // steps
    part = replace(
        value.part(word, context.shape.words(len(channels))),
        channels=len(channels),
        shape=(*value.shape[:-1], len(channels)),
    )
    _moved(context, node, part)


def lower_rearrange(context: Context, node: IntegerNode, move: Rearrange) -> None:
    """Another shape of the same elements in the same order."""
    value = context.values[node.inputs[0]]
    places = np.arange(np.prod(value.shape)).reshape(1, *value.shape)
    if (np.diff(move(places).reshape(-1)) != 1).any():
        raise CompileError(f"{node.name}: elements are put into another order")
    _moved(context, node, value.shaped(move.output_shape(value.shape)))


def _moved(context: Context, node: IntegerNode, value: Value) -> None:
    if node.clip is None:
        context.values[node.output] = value
        return
    context.value(node)
    output = context.like(node, value)
    context.add(node, output, [context.copy(node.name, value, output, node.clip)])


def lower_pad(context: Context, node: IntegerNode, pad: Pad) -> None:
    """A border: that of the patches that take it, or stored."""
    value = context.value(node, as_image=True)
    (top, bottom), (left, right), channels = pad.amounts
    if pad.mode != "constant" or any(channels):
        what = "channels" if any(channels) else f"{pad.mode} values"
        raise CompileError(f"{node.name}: padding with {what} is not supported")
    amounts, byte = (top, left, bottom, right), int(pad.value)
    takers = context.consumers(node.output)
    is_output = node.output == context.network.output
    if node.clip is None and not is_output and all(_takes_border(n, byte) for n in takers):
        context.padded[node.output] = Padded(value, amounts, byte)
        return
    patch = Patch((1, 1), padding=amounts)
    output = context.new(node, patch.output_shape(value.shape, value.channels))
    step = context.copy(node.name, value, output, node.clip, patch=patch, pad_byte=byte)
    context.add(node, output, [step])


def _takes_border(node: IntegerNode, byte: int) -> bool:
    """Whether a patch of ``node`` can have a border of that byte around it."""
    match node.operation:
        case IntegerMatrixLayer(lowering=Patch() as patch) as layer:
            return not any(patch.padding) or layer.fill == byte
        case IntegerAveragePool(pool=pool) as average:
            return not any(pool.patch.padding) or average.input_zero_point == byte
        case MaxPool(patch=patch):
            return not any(patch.padding) or byte == 0
    return False
