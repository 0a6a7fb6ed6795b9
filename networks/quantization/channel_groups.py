"""Which values of a network have the same channels, and so one order of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np

from networks.graph.elementwise import Largest, Smallest
from networks.graph.lowering import Shape
from networks.graph.movement import Concat, Pad, Rearrange, Slice, Spread
from networks.graph.operations import MaxPool
from networks.quantization.arithmetic import exact
from networks.quantization.network import IntegerNode, QuantizedNetwork
from networks.quantization.operations import (
    Combine,
    Divide,
    Int64Array,
    IntegerAveragePool,
    IntegerInterpolate,
    IntegerMatrixLayer,
    LookUp,
    Multiply,
)

CHANNEL_BY_CHANNEL = (
    *(Combine, Divide, Multiply, Largest, Smallest, LookUp),
    *(IntegerAveragePool, IntegerInterpolate, MaxPool, Spread),
)
"""Operations whose channels are made of the same channels of what they take."""
Groups = tuple[int, ...]


@dataclass(frozen=True)
class ChannelGroups:
    """Groups of channels that must keep one order wherever they are.

    ``of`` has for each value the groups that the channels of its last axis are, one behind the
    other, ``sizes`` the channels of each group. Those of ``fixed`` groups cannot be reordered: they
    are of images and logits, or of values that more is done with than channel by channel.
    """

    of: Mapping[str, Groups]
    sizes: Mapping[int, int]
    fixed: frozenset[int]

    def order(self, value: str, orders: Mapping[int, Int64Array]) -> Int64Array | None:
        """The order of the channels of ``value`` where groups have ``orders``, others their own.

        None where no group of it has one.
        """
        groups = self.of[value]
        if not any(group in orders for group in groups):
            return None
        parts = [orders.get(group, np.arange(self.sizes[group])) for group in groups]
        tops = np.cumsum([0, *map(len, parts[:-1])])
        return np.concatenate([part + top for part, top in zip(parts, tops, strict=True)])


def channel_groups(network: QuantizedNetwork) -> ChannelGroups:
    """The groups of the channels of all values of ``network``.

    The output channels of a layer that takes all channels of its input are a group of their own:
    the layer can make them in any order. What is computed channel by channel keeps it.
    """
    shapes = _shapes(network)
    ties = _Ties()
    of = {network.source: ties.new((1, *network.input_shape)[-1])}
    ties.fix(of[network.source])
    for node in network.nodes:
        inputs = [(of[name], shapes[name]) for name in node.inputs]
        of[node.output] = _groups(node.operation, inputs, shapes[node.output], ties)
    ties.fix(of[network.output])
    return ties.resolved(of)


def is_channel_by_channel(layer: IntegerMatrixLayer) -> bool:
    """Whether each output channel takes the input channel of the same place alone."""
    return layer.is_depthwise and layer.width == layer.groups


def _groups(
    operation: Any, inputs: Sequence[tuple[Groups, Shape]], output: Shape, ties: "_Ties"
) -> Groups:
    """Those of the value of the shape ``output`` that ``operation`` makes."""
    (first, shape), *_ = inputs
    if output and shape:
        match operation:
            case IntegerMatrixLayer() if operation.groups == 1:
                return ties.new(output[-1])
            case Concat() if operation.axis == len(output):
                return tuple(group for groups, _ in inputs for group in groups)
            case Pad() if operation.mode == "constant":
                before, after = operation.amounts[-1]
                return (*ties.new(before), *first, *ties.new(after))
            case Slice() if operation.slices[-1].step in (None, 1):
                part = range(shape[-1])[operation.slices[-1]]
                return ties.part(first, part.start, part.stop)
            case _ if _is_channel_by_channel(operation, shape, output):
                same = [groups for groups, each in inputs if each and each[-1] == output[-1]]
                return ties.tied(same)
    ties.fix(*(groups for groups, _ in inputs))
    made = ties.new((1, *output)[-1])
    ties.fix(made)
    return made


def _is_channel_by_channel(operation: Any, source: Shape, output: Shape) -> bool:
    """Whether what is made has the channels of what is taken, in their order."""
    match operation:
        case IntegerMatrixLayer():
            return is_channel_by_channel(operation)
        case Concat():
            return True  # along another axis
        case Pad():
            return tuple(operation.amounts[-1]) == (0, 0)
        case Rearrange():
            axes = operation.before[-1], operation.after[-1]
            last = len(operation.before) - 1, len(operation.after) - 1
            return axes == last and source[-1] == output[-1]
    return isinstance(operation, CHANNEL_BY_CHANNEL)


def _shapes(network: QuantizedNetwork) -> dict[str, Shape]:
    """Of all values, without the axis of the batch."""
    shapes: dict[str, Shape] = {network.source: tuple(network.input_shape)}

    def see(node: IntegerNode, value: Any) -> None:
        shapes[node.output] = value.shape[1:]

    network.forward(np.ones((1, *network.input_shape), np.uint8), exact, see)
    return shapes


class _Ties:
    """Groups that turn out to be the same, to be parts of others, or fixed."""

    def __init__(self) -> None:
        self._same: list[int] = []
        self._sizes: list[int] = []
        self._halves: dict[int, Groups] = {}
        self._fixed: set[int] = set()

    def new(self, size: int) -> Groups:
        """A group of its own, or none of no channels."""
        if size == 0:
            return ()
        self._same.append(len(self._same))
        self._sizes.append(size)
        return (self._same[-1],)

    def fix(self, *values: Groups) -> None:
        """All groups of ``values`` are fixed."""
        for groups in values:
            self._fixed.update(groups)

    def part(self, groups: Groups, start: int, stop: int) -> Groups:
        """Those of the channels ``start`` to ``stop`` of ``groups``."""
        found, top = [], 0
        for group in self._cut(self._cut(groups, start), stop):
            if start <= top < stop:
                found.append(group)
            top += self._sizes[group]
        return tuple(found)

    def tied(self, values: Sequence[Groups]) -> Groups:
        """The groups of what has the channels of all ``values``."""
        first, *others = values
        for other in others:
            while (places := self._places(first)) != (asked := self._places(other)):
                for groups, new in ((first, asked), (other, places)):
                    for place in new:
                        self._cut(groups, place)
            for own, group in zip(self._parts(first), self._parts(other), strict=True):
                self._same[self._root(group)] = self._root(own)
        return first

    def resolved(self, of: Mapping[str, Groups]) -> ChannelGroups:
        """Each group by one number, and parts in place of those that were cut."""
        found = {name: self._parts(groups) for name, groups in of.items()}
        fixed = self._parts(tuple(self._fixed))
        sizes = {group: self._sizes[group] for groups in found.values() for group in groups}
        return ChannelGroups(found, sizes, frozenset(fixed))

    def _cut(self, groups: Groups, place: int) -> Groups:
        """The parts of ``groups``, of which none goes across the channel ``place``."""
        top = 0
        for group in self._parts(groups):
            size = self._sizes[group]
            if top < place < top + size:
                self._halves[group] = *self.new(place - top), *self.new(top + size - place)
            top += size
        return self._parts(groups)

    def _places(self, groups: Groups) -> list[int]:
        """Where one part of ``groups`` ends and the next one begins."""
        return list(accumulate(self._sizes[group] for group in self._parts(groups)))

    def _parts(self, groups: Groups) -> Groups:
        roots = map(self._root, groups)
        return tuple(
            part
            for root in roots
            for part in (self._parts(self._halves[root]) if root in self._halves else (root,))
        )

    def _root(self, group: int) -> int:
        while self._same[group] != group:
            group = self._same[group]
        return group
