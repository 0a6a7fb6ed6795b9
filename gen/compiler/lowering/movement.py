"""What moves values: by address where that can be."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from gen.compiler.errors import CompileError
from gen.compiler.lowering.context import AS_IT_IS, Context, Cut, Padded
from gen.compiler.step import Step
from gen.compiler.values import Buffer, Value
from golden.descriptor import Opcode
from networks.graph.lowering import Patch
from networks.graph.movement import Concat, Pad, Rearrange, Slice
from networks.graph.operations import MaxPool
from networks.quantization.network import IntegerNode
from networks.quantization.operations import (
    IntegerAveragePool,
    IntegerMatrixLayer,
)


def lower_concat(context: Context, node: IntegerNode, concat: Concat) -> None:
    """Values become parts of one tensor; what is one of another already, or no result, is copied.

    Parts are whole words of channels, but for the last.
    """
    values = [context.value(node, index) for index in range(len(node.inputs))]
    if any(v.is_flattened for v in values) or concat.axis != len(values[0].shape):
        raise CompileError(f"{node.name}: values are joined along their channels alone")
    for name, value in zip(node.inputs[:-1], values[:-1], strict=True):
        _require_words(context, node, value.channels, name)
    size = (*values[0].shape[:-1], sum(value.channels for value in values))
    joined = context.new(node, size)
    if node.clip is not None:
        raise CompileError(f"{node.name}: joined values are not clipped on an accelerator")
    word = 0
    for name, value in zip(node.inputs, values, strict=True):
        _join(context, f"{node.name}: {name}", value, joined, word)
        word += value.words
    context.values[node.output] = joined


def _require_words(context: Context, node: IntegerNode, channels: int, name: str) -> None:
    steps = context.shape.k_per_cycle
    if channels % steps:
        raise CompileError(
            f"{node.name}: parts that are joined must be whole words of {steps} channels, not "
            f"{channels} channels as {name}"
        )


def _join(context: Context, name: str, value: Value, joined: Value, word: int) -> None:
    """``value`` becomes a part of ``joined``."""
    buffer: Buffer = value.buffer
    if buffer.is_made and buffer.whole is None and value.is_whole:
        buffer.whole, buffer.word = joined.buffer, word
        return
    part = replace(value, buffer=joined.buffer, word=word)
    context.steps.append(context.copy(name, value, part))


def lower_slice(context: Context, node: IntegerNode, cut: Slice) -> None:
    """Whole words of channels, where they are; of some pixels a copy, once for all slices."""
    before = context.cuts.get(node.inputs[0])
    value = before.value if before else context.value(node)
    ranges = before.ranges if before else tuple(map(range, value.shape))
    ranges = tuple(each[part] for each, part in zip(ranges, cut.slices, strict=True))
    takers = context.consumers(node.output)
    is_output = node.output == context.network.output
    if node.clip is None and not is_output and all(_takes_cut(n) for n in takers):
        context.cuts[node.output] = Cut(value, ranges)
        return
    part, kept = _cut_channels(context, node, value, ranges[-1]), ranges[:-1]
    if all(each == range(size) for each, size in zip(kept, value.shape, strict=False)):
        _moved(context, node, part)
        return
    patch, weights = _cut_pixels(node, kept)
    output = context.new(node, (*(len(each) for each in kept), part.channels))
    stream = context.channels(node.name, part.channels, 0, AS_IT_IS, node.clip, weights)
    step = Step(node.name, Opcode.SUM, (part,), output, stream, patch)
    context.add(node, output, [step])


def _takes_cut(node: IntegerNode) -> bool:
    """Whether a node can take some positions of a value where they are."""
    match node.operation:
        case Slice():
            return True
        case Pad(amounts=(*pixels, _), mode="constant"):
            return not any(map(any, pixels)) and len(pixels) == 2
    return False


def _cut_pixels(node: IntegerNode, kept: Sequence[range]) -> tuple[Patch, list[int]]:
    """A patch that is moved over the pixels that are kept, and the weights of its own."""
    if min(each.step for each in kept) < 1:
        raise CompileError(f"{node.name}: pixels are put into another order")
    rows, columns = kept if len(kept) == 2 else (range(1), kept[0])
    # Behind the first one of a patch comes the first one that is kept.
    starts = rows.start, columns.start
    patch = Patch(
        kernel=(1 + (starts[0] > 0), 1 + (starts[1] > 0)),
        stride=(rows.step, columns.step),
        dilation=(max(1, starts[0]), max(1, starts[1])),
    )
    return patch, [0] * (patch.kernel[0] * patch.kernel[1] - 1) + [1]


def _cut_channels(context: Context, node: IntegerNode, value: Value, channels: range) -> Value:
    steps, last = context.shape.k_per_cycle, value.shape[-1]
    if channels == range(last):
        return value
    in_words = channels.start % steps == 0 and (channels.stop % steps == 0 or channels.stop == last)
    if value.is_flattened or channels.step != 1 or not in_words:
        raise CompileError(
            f"{node.name}: a slice must be whole words of {steps} channels, not "
            f"{channels.start}:{channels.stop}:{channels.step} of {last}"
        )
    return replace(
        value.part(channels.start // steps, context.shape.words(len(channels))),
        channels=len(channels),
        shape=(*value.shape[:-1], len(channels)),
    )


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
    cut = context.cuts.get(node.inputs[0])
    if pad.mode != "constant":
        raise CompileError(f"{node.name}: padding with {pad.mode} values is not supported")
    byte = int(pad.value)
    if cut is not None:
        value = _cut_channels(context, node, cut.value, cut.ranges[-1])
        patch, weights = _cut_pixels(node, cut.ranges[:-1])
        size = tuple(len(each) for each in cut.ranges[:-1])
        _pad_channels(context, node, value, size, patch, weights, byte, pad.amounts[-1])
        return
    value = context.value(node, as_image=True)
    (top, bottom), (left, right), channels = pad.amounts
    amounts = (top, left, bottom, right)
    patch = Patch((1, 1), padding=amounts)
    if any(channels):
        size = patch.output_size(value.height, value.width)
        _pad_channels(context, node, value, size, patch, [1], byte, channels)
        return
    takers = context.consumers(node.output)
    is_output = node.output == context.network.output
    if node.clip is None and not is_output and all(_takes_border(n, byte) for n in takers):
        context.padded[node.output] = Padded(value, amounts, byte)
        return
    output = context.new(node, patch.output_shape(value.shape, value.channels))
    step = context.copy(node.name, value, output, node.clip, patch=patch, pad_byte=byte)
    context.add(node, output, [step])


def _pad_channels(
    context: Context,
    node: IntegerNode,
    value: Value,
    size: tuple[int, ...],
    patch: Patch,
    weights: Sequence[int],
    byte: int,
    channels: tuple[int, int],
) -> None:
    """More channels on either side, of weights of 0 and a bias that is the byte."""
    before, after = channels
    steps = context.shape.k_per_cycle
    if before % steps:
        raise CompileError(
            f"{node.name}: channels are padded by whole words of {steps} before them, not by "
            f"{before}"
        )
    total = before + value.channels + after
    own = np.arange(before, before + value.channels)
    bias = np.full(total, byte)
    bias[own] = 0
    weights_of = np.zeros((len(weights), total), np.int64)
    weights_of[:, own] = np.array(weights)[:, np.newaxis]
    stream = context.channels(node.name, total, bias, AS_IT_IS, node.clip, list(weights_of))
    output = context.new(node, (*size, total))
    step = Step(node.name, Opcode.SUM, (value,), output, stream, patch, byte)
    step.words_before = context.shape.words(before)
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
