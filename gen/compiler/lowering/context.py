"""The network so far, as steps, for the lowering of its next node."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from gen.compiler.errors import CompileError, RangeError
from gen.compiler.step import Step
from gen.compiler.values import Value, new_value
from golden.accelerator.shape import (
    COLUMN_PARAMETERS,
    WEIGHT_DTYPE,
    AcceleratorShape,
    Bytes,
    pack_channels,
)
from golden.descriptor import Opcode
from golden.format import ACTIVATION_MAX
from networks.graph.lowering import Patch, Shape
from networks.quantization.network import IntegerNode, QuantizedNetwork
from networks.quantization.operations import Requantization

BYTE = (0, ACTIVATION_MAX)
AS_IT_IS = Requantization(np.array(1), np.array(0), 0)
"""What leaves bytes as they are."""
INT32 = np.iinfo(np.int32)
Integers = npt.NDArray[np.int64]


class Padded(NamedTuple):
    """A value with a border that is nowhere stored: top, left, bottom, right, all of one byte."""

    value: Value
    amounts: tuple[int, int, int, int]
    byte: int


class Cut(NamedTuple):
    """Some of the positions along each axis of a value, that are nowhere by themselves."""

    value: Value
    ranges: tuple[range, ...]


@dataclass
class Context:
    """Where values lie, and the steps that make them.

    ``values``, ``padded`` and ``cuts`` by their names in the network; ``makers`` has the steps that
    make a value and nothing else.
    """

    shape: AcceleratorShape
    network: QuantizedNetwork
    values: dict[str, Value] = field(default_factory=dict)
    padded: dict[str, Padded] = field(default_factory=dict)
    cuts: dict[str, Cut] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    makers: dict[str, list[Step]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.uses = Counter(name for node in self.network.nodes for name in node.inputs)
        self.uses[self.network.output] += 1

    def consumers(self, name: str) -> list[IntegerNode]:
        """The nodes that take a value."""
        return [node for node in self.network.nodes if name in node.inputs]

    def value(self, node: IntegerNode, index: int = 0, as_image: bool = False) -> Value:
        """An input of ``node``, of bytes; with ``as_image`` one of rows, columns and channels."""
        value = self.values[node.inputs[index]]
        if value.buffer.has_sums:
            raise CompileError(f"{node.name}: {node.inputs[index]} is sums, which are for logits")
        if as_image and value.shape != (value.height, value.width, value.channels):
            raise CompileError(
                f"{node.name}: an input must be rows, columns and channels, not of shape "
                f"{value.shape}"
            )
        return value

    def image(self, node: IntegerNode, patch: Patch, fill: int) -> tuple[Value, Patch, int]:
        """The input of a patch, with what pads it: an image, the patch, and the byte outside.

        The padding of the patch is that of the value, too.
        """
        padded = self.padded.get(node.inputs[0])
        if padded is None:
            return self.value(node, as_image=True), patch, fill
        top, left, bottom, right = np.add(patch.padding, padded.amounts).tolist()
        return padded.value, replace(patch, padding=(top, left, bottom, right)), padded.byte

    def new(self, node: IntegerNode, size: Shape, has_sums: bool = False) -> Value:
        """A new value, what ``node`` makes."""
        return new_value(self.shape, node.output, size, has_sums=has_sums)

    def like(self, node: IntegerNode, value: Value) -> Value:
        """A new value, what ``node`` makes of each element of ``value``."""
        made = new_value(self.shape, node.output, (value.height, value.width, value.channels))
        return replace(made, shape=value.shape)

    def add(self, node: IntegerNode, value: Value, steps: Sequence[Step]) -> None:
        """``steps`` make ``value``, the output of ``node``."""
        self.steps.extend(steps)
        self.values[node.output] = value
        self.makers[node.output] = [*steps]

    def copy(
        self,
        name: str,
        source: Value,
        output: Value,
        limits: tuple[int, int] | None = None,
        **fields: Any,
    ) -> Step:
        """A step that moves bytes, within ``limits``."""
        stream = self.channels(name, source.channels, 0, AS_IT_IS, limits, [1])
        return Step(*(name, Opcode.SUM, (source,), output, stream), **{"uniform": True, **fields})

    def channels(
        self,
        name: str,
        channels: int,
        bias: npt.ArrayLike,
        finish: Requantization | None,
        limits: tuple[int, int] | None,
        weights: Sequence[npt.ArrayLike] = (),
    ) -> Bytes:
        """The stream of a vector operation: each of ``weights`` one for all channels, or each's."""
        shape = self.shape
        count = shape.words(channels) * shape.k_per_cycle
        packed = np.zeros((count, len(weights)), WEIGHT_DTYPE)
        largest = np.iinfo(WEIGHT_DTYPE)
        for index, weight in enumerate(weights):
            values = by_channel(name, "weights", weight, channels)
            wrong = values[(values < largest.min) | (values > largest.max)]
            if len(wrong):
                raise RangeError(f"{name}: a weight must fit 16 bits, not be {wrong[0]}")
            if not (shape.multiplies or np.isin(values, (0, 1)).all()):
                raise CompileError(
                    f"{name}: its weights are not all 0 or 1, and the accelerator has no "
                    "multipliers in its vector unit (lanes 0)"
                )
            packed[:channels, index] = values
        return pack_channels(shape, parameters(name, count, channels, bias, finish, limits), packed)


def parameters(
    name: str,
    count: int,
    channels: int,
    bias: npt.ArrayLike,
    finish: Requantization | None,
    limits: tuple[int, int] | None,
) -> npt.NDArray[np.void]:
    """:data:`COLUMN_PARAMETERS` (count,), of which the first are those of ``channels``.

    Without ``finish`` results are sums, and the bias is all that there is.
    """
    result = np.zeros(count, COLUMN_PARAMETERS)
    result["high"] = ACTIVATION_MAX
    biases = by_channel(name, "biases", bias, channels)
    wrong = biases[(biases < INT32.min) | (biases > INT32.max)]
    if len(wrong):
        raise RangeError(f"{name}: a bias must fit 32 bits, not be {wrong[0]}")
    result["bias"][:channels] = biases
    if finish is None:
        if limits is not None:
            raise CompileError(f"{name}: sums are not clipped on an accelerator")
        return result
    for field_name, values in (
        ("multiplier", finish.multiplier),
        ("shift", finish.shift),
        ("zero_point", finish.zero_point),
    ):
        result[field_name][:channels] = by_channel(name, "scales", values, channels)
    result["low"], result["high"] = limits or BYTE
    return result


def by_channel(name: str, what: str, values: npt.ArrayLike, channels: int) -> Integers:
    """``values`` that are one number, or one for each channel: int64 (channels,)."""
    array = np.asarray(values, np.int64)
    if array.size == 1:
        return np.full(channels, array.reshape(-1)[0])
    if array.size != channels or array.shape[-1] != channels:
        raise CompileError(
            f"{name}: {what} must be the same for all pixels of a channel, not of shape "
            f"{array.shape}"
        )
    return array.reshape(-1)
