"""Convolutions and fully connected layers: products by the machine, depthwise ones beside it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import gcd

import numpy as np

from gen.compiler.errors import CompileError, RangeError
from gen.compiler.lowering.context import Context, parameters
from gen.compiler.lowering.sums import require_sums
from gen.compiler.step import Step
from gen.compiler.values import Value
from golden.accelerator.shape import AcceleratorShape, Bytes, pack_columns, pack_weights
from golden.descriptor import MOST_WEIGHTS, Opcode
from networks.graph.lowering import Patch
from networks.quantization.network import IntegerNode
from networks.quantization.operations import (
    Alignment,
    IntegerMatrixLayer,
    Requantization,
    WideRequantization,
)
from networks.quantization.quantize import SIGNED_INPUT


@dataclass(frozen=True)
class GroupParts:
    """How groups of a convolution become descriptors: some neighbouring groups each.

    ``first`` and ``count`` of the groups, and the channel words that these read.
    """

    first: int
    count: int
    word: int
    words: int


def group_parts(shape: AcceleratorShape, groups: int, inputs: int, width: int) -> list[GroupParts]:
    """As few groups together as make whole words of results, ``width`` channels of ``inputs``.

    Depthwise as many as there are columns: they take no more slices, and fewer descriptors.
    """
    steps = shape.k_per_cycle
    together = steps // gcd(steps, width)
    if is_depthwise(groups, inputs, width):
        together = shape.cols
    parts = []
    for first in range(0, groups, together):
        count = min(together, groups - first)
        word = first * inputs // steps
        end = -(-(first + count) * inputs // steps)
        parts.append(GroupParts(first, count, word, end - word))
    return parts


def is_depthwise(groups: int, inputs: int, width: int) -> bool:
    """Whether each channel of results takes one of several channels, and it alone."""
    return groups > 1 and inputs == width == 1


def unwindowed(shape: AcceleratorShape, groups: int, inputs: int, width: int) -> str:
    """Why a layer cannot have the windows that it is to have; empty if it can.

    Each of its groups takes ``inputs`` channels of a pixel and makes ``width``. Channels of a pixel
    fill up whole words, so that what shares a window along K must be channels of one pixel.
    """
    fmt, steps = shape.format, shape.k_per_cycle
    if fmt is None:
        return ""
    if is_depthwise(groups, inputs, width):
        return "depthwise"
    parts = group_parts(shape, groups, inputs, width)
    if all(part.count == 1 for part in parts) and inputs % steps == 0:
        return ""  # K is what it was
    span = max(2, fmt.group) if fmt.vsparq or fmt.group > 1 else 1
    lengths = [inputs, *(part.words * steps for part in parts)]
    starts = [part.word * steps for part in parts]
    if all(length % span == 0 for length in (*lengths, *starts)):
        return ""
    return f"{inputs} input channels for windows of {span} neighbours"


def require_depth(
    shape: AcceleratorShape, name: str, taps: int, groups: int, inputs: int, width: int
) -> None:
    """Raise ``CompileError`` unless the machine holds the longest reduction of the layer ``name``.

    Groups are as of :func:`unwindowed`, each of so many ``taps`` of a pixel's channels.
    """
    if is_depthwise(groups, inputs, width) and shape.multiplies:
        return
    depth = taps * max(part.words for part in group_parts(shape, groups, inputs, width))
    if depth > shape.weight_depth:
        raise CompileError(
            f"{name}: the reduction takes {depth} slices of weights, and the machine holds "
            f"{shape.weight_depth}"
        )


def lower_matrix(context: Context, node: IntegerNode, layer: IntegerMatrixLayer) -> None:
    """The steps of a convolution or fully connected layer."""
    _require_possible(layer)
    if isinstance(layer.lowering, Patch):
        value, patch, pad_byte = context.image(node, layer.lowering, layer.fill)
        size = patch.output_shape(value.shape, layer.width)
    else:
        value = context.value(node)
        patch, pad_byte = Patch((1, 1)), layer.fill
        if value.is_flattened:
            if value.shape != (value.pixels * value.channels,):
                raise CompileError(
                    f"{layer.name}: features of an input of shape {value.shape} are not channels"
                )
            patch = Patch((value.height, value.width))
        size = layer.lowering.output_shape(value.shape, layer.width)
    inputs = value.channels // layer.groups
    width = layer.width // layer.groups
    output = context.new(node, size, has_sums=isinstance(layer.finish, Alignment))
    if layer.windowed:
        _require_windows(context.shape, layer, inputs, width)
    if is_depthwise(layer.groups, inputs, width) and context.shape.multiplies:
        steps = [_depthwise(context, node, layer, value, output, patch, pad_byte)]
    else:
        _require_exact(context.shape, layer)
        make = _Products(context, node, layer, value, output, replace(patch, groups=1), pad_byte)
        steps = [*make.steps(inputs, width)]
    context.add(node, output, steps)


def _require_possible(layer: IntegerMatrixLayer) -> None:
    name = layer.name
    if layer.codes is not None:
        raise CompileError(f"{name}: activations are recoded, which an accelerator cannot")
    if layer.channel_order is not None:
        raise CompileError(f"{name}: channels have an order of their own, which is not supported")
    if isinstance(layer.finish, WideRequantization):
        raise CompileError(f"{name}: results are integers of 16 bits, which is not supported")


def _require_exact(shape: AcceleratorShape, layer: IntegerMatrixLayer) -> None:
    fmt = shape.format
    if fmt is not None and not layer.windowed and not fmt.exact_planes:
        raise (RangeError if layer.reason == SIGNED_INPUT else CompileError)(
            f"{layer.name}: the layer stays at 8 bits ({layer.reason}), and the format of the "
            "machine has no exact mode"
        )


def _require_windows(
    shape: AcceleratorShape, layer: IntegerMatrixLayer, inputs: int, width: int
) -> None:
    reason = unwindowed(shape, layer.groups, inputs, width)
    if reason:
        raise CompileError(
            f"{layer.name}: the layer is windowed, but has to stay at 8 bits ({reason})"
        )


def _finish(layer: IntegerMatrixLayer) -> Requantization | None:
    return layer.finish if isinstance(layer.finish, Requantization) else None


def _depthwise(
    context: Context,
    node: IntegerNode,
    layer: IntegerMatrixLayer,
    value: Value,
    output: Value,
    patch: Patch,
    pad_byte: int,
) -> Step:
    """Sums of each channel, on the vector unit, which are exact."""
    weights = list(layer.weights[:, :, 0].T)
    if len(weights) > MOST_WEIGHTS:
        raise CompileError(
            f"{layer.name}: a depthwise layer has at most {MOST_WEIGHTS} weights for each channel, "
            f"not {len(weights)}"
        )
    stream = context.channels(
        layer.name, layer.width, layer.bias, _finish(layer), node.clip, weights
    )
    return Step(
        *(layer.name, Opcode.SUM, (value,), output, stream, replace(patch, groups=1), pad_byte),
        sums=output.buffer.has_sums,
    )


@dataclass(frozen=True)
class _Products:
    """The products of a layer."""

    context: Context
    node: IntegerNode
    layer: IntegerMatrixLayer
    value: Value
    output: Value
    patch: Patch
    pad_byte: int

    def steps(self, inputs: int, width: int) -> Iterator[Step]:
        """One for each part of the groups, of so many channels each."""
        layer, shape = self.layer, self.context.shape
        fmt = shape.format
        is_exact = not layer.windowed and fmt is not None
        # A machine of signed activations takes the zero point off, and a bias gives it back.
        subtracts = fmt is not None and fmt.signed and layer.windowed
        zero_point = layer.fill if subtracts else 0
        windows = fmt if layer.windowed else None
        require_depth(
            *(shape, layer.name, self.patch.kernel[0] * self.patch.kernel[1]),
            *(layer.groups, inputs, width),
        )
        require_sums(layer.name, layer.weights, shape.acc_bits, windows, zero_point)
        words_of = 4 if self.output.buffer.has_sums else 1
        for part in group_parts(shape, layer.groups, inputs, width):
            value = self.value.part(part.word, part.words)
            word = part.first * width // shape.k_per_cycle
            words = shape.words(part.count * width)
            yield Step(
                layer.name,
                Opcode.MATRIX,
                (value,),
                self.output.part(word * words_of, words * words_of),
                self._stream(part, inputs, width, zero_point),
                self.patch,
                self.pad_byte,
                zero_point,
                exact=is_exact,
                sums=self.output.buffer.has_sums,
            )

    def _stream(self, part: GroupParts, inputs: int, width: int, zero_point: int) -> Bytes:
        """Of each column of tiles its parameters and its weights."""
        layer, shape = self.layer, self.context.shape
        steps, cols = shape.k_per_cycle, shape.cols
        taps = self.patch.kernel[0] * self.patch.kernel[1]
        columns = -(-part.count * width // cols) * cols
        weights = np.zeros((taps, part.words * steps, columns), np.int8)
        for index in range(part.count):
            channel = (part.first + index) * inputs - part.word * steps
            own = layer.weights[part.first + index].reshape(taps, inputs, width)
            column = index * width
            weights[:, channel : channel + inputs, column : column + width] = own
        whole = weights.reshape(-1, columns)
        group = slice(part.first, part.first + part.count)
        given_back = zero_point * layer.weights[group].sum(axis=1, dtype=np.int64).reshape(-1)
        own_columns = slice(part.first * width, (part.first + part.count) * width)
        finish = _finish(layer)
        if finish is not None:
            finish = replace(
                finish,
                multiplier=np.broadcast_to(finish.multiplier, (layer.width,))[own_columns],
                shift=np.broadcast_to(finish.shift, (layer.width,))[own_columns],
            )
        of_columns = parameters(
            layer.name,
            columns,
            part.count * width,
            layer.bias[own_columns] + given_back,
            finish,
            self.node.clip,
        )
        parts = []
        for first in range(0, columns, cols):
            tile = slice(first, first + cols)
            parts.append(pack_columns(shape, of_columns[tile]))
            parts.append(pack_weights(shape, whole[:, tile]))
        return np.concatenate(parts)
