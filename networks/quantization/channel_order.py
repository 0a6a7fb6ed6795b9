"""Which channels are neighbours: an order of the input channels of a layer."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

import golden
from networks.quantization.arithmetic import exact
from networks.quantization.network import QuantizedNetwork
from networks.quantization.operations import Bytes, Int64Array, IntegerMatrixLayer

MAX_CHANNELS = 4096
MAX_ELEMENTS = 1 << 20
"""Activations that an order is chosen on; more tell nothing new."""

FloatArray = npt.NDArray[np.float64]


def calibrated_order(
    layer: IntegerMatrixLayer, x: Bytes, fmt: golden.SparqFormat
) -> Int64Array | None:
    """The channel order of ``layer`` with small squared error of its products on the input ``x``.

    ``x`` are bytes, or magnitudes of signed activations.

    With vSPARQ an activation whose partner is zero keeps both lanes, and activations that share a
    window lose what the largest of them costs the others. So channels are paired, pairs joined and
    so on, that lose little together, weighted by their weights. From the natural order on, any two
    pairs exchange partners as long as that is a gain: pairs are never worse on ``x`` than natural
    ones. None (the natural order) where neighbours make no difference, pairs are not channels of
    one pixel, or there are more than ``MAX_CHANNELS``.
    """
    if layer.groups > 1:
        return None
    return common_order([Reader(sampled(x), gains_of(layer, x.shape[-1]), fmt)])


class Reader(NamedTuple):
    """What takes some channels.

    ``rows`` are pixels of them, uint8 (pixels, C), as of :func:`sampled`, ``gains`` float64 (C,) by
    how much the square of each one's error counts, ``fmt`` the format it is windowed in.
    """

    rows: Bytes
    gains: FloatArray
    fmt: golden.SparqFormat


def common_order(readers: Sequence[Reader]) -> Int64Array | None:
    """One order of the channels that all ``readers`` take, as that of :func:`calibrated_order`."""
    channels = readers[0].rows.shape[1]
    sizes = {max(2, reader.fmt.group) for reader in readers}
    size = max(sizes)
    if len(sizes) > 1 or channels % size or not 2 * size <= channels <= MAX_CHANNELS:
        return None
    if not any(reader.fmt.vsparq or reader.fmt.group > 1 for reader in readers):
        return None
    every = [Units.channels(*reader) for reader in readers]
    order = np.arange(channels)[:, np.newaxis]
    while True:
        costs = [units.joining_cost() for units in every]
        first, second = exchange_partners(np.add.reduce(costs))
        order = np.concatenate([order[first], order[second]], axis=1)
        if order.shape[1] == size:
            return order.reshape(-1)
        every = [units.joined(first, second) for units in every]


def gains_of(layer: IntegerMatrixLayer, channels: int) -> FloatArray:
    """By how much the squared error of each input channel counts in the products: float64 (C,)."""
    gains = (layer.weights.astype(np.float64) ** 2).reshape(-1, channels, layer.width)
    result: FloatArray = gains.sum(axis=(0, 2))
    return result


def windowed_inputs(
    network: QuantizedNetwork, images: Bytes
) -> dict[str, tuple[IntegerMatrixLayer, Bytes]]:
    """By name, the windowed layers of ``network``, and pixels of their inputs: :func:`sampled`.

    The inputs are those that exact products before a layer make of ``images``.
    """
    found = {}

    def keep(layer: IntegerMatrixLayer, x: Bytes) -> None:
        if layer.windowed:
            found[layer.name] = layer, np.ascontiguousarray(sampled(layer.operand(x)))

    network.forward(images, exact, before=keep)
    return found


def sampled(x: Bytes) -> Bytes:
    """As many pixels of ``x`` (..., C) as an order is chosen on: (pixels, C); of these, all."""
    rows = x.reshape(-1, x.shape[-1])
    return rows[:: -(-rows.size // MAX_ELEMENTS)]


@dataclass(frozen=True)
class Units:
    """Channels, or groups of them that belong together, over some pixels.

    ``kind`` uint8 (pixels, units) is what a unit demands of a window it shares: 0 nothing, or the
    number of the placement, from 1. ``loss`` (kinds, pixels, units) is its squared error where the
    rest of its group demands that kind. ``lends`` says that units are channels of vSPARQ, of which
    a zero lends its partner its lane.
    """

    kind: Bytes
    loss: FloatArray
    lends: bool

    @classmethod
    def channels(cls, rows: Bytes, gains: FloatArray, fmt: golden.SparqFormat) -> "Units":
        """The channels of pixels ``rows`` (pixels, C), each error weighted by its gain (C,)."""
        value = np.arange(fmt.magnitude_max + 1)
        limits = [1 << (fmt.window_bits + shift) for shift in fmt.placements[:-1]]
        kinds = (1 + np.searchsorted(limits, value, side="right")).astype(np.uint8)
        if fmt.vsparq:
            kinds[0] = 0
        # A partner of each kind shows what becomes of every value beside it.
        partners = [0, *(limit - 1 for limit in limits), fmt.magnitude_max]
        pair = replace(fmt, group=min(fmt.group, 2))
        index = rows.astype(np.intp)
        loss = np.empty((len(partners), *rows.shape))
        for partner, own in zip(partners, loss, strict=True):
            pairs = np.stack([value, np.full_like(value, partner)], axis=1)
            effective = golden.sparq(pairs, pair)[:, 0].astype(np.float64)
            np.take((effective - value) ** 2, index, out=own, mode="clip")
            own *= gains
        return cls(np.take(kinds, index), loss, fmt.vsparq)

    def joining_cost(self) -> FloatArray:
        """The squared error that any two units make together, (units, units), symmetric."""
        one_sided = sum(
            loss.T @ (self.kind == kind).astype(np.float64) for kind, loss in enumerate(self.loss)
        )
        cost: FloatArray = one_sided + one_sided.T
        return cost

    def joined(self, first: Int64Array, second: Int64Array) -> "Units":
        """The units ``first[i]`` with ``second[i]``."""
        kinds = self.kind[:, first], self.kind[:, second]
        alone = (np.minimum(*kinds) == 0) & self.lends
        loss = np.zeros((len(self.loss), *alone.shape))
        for unit, other in ((first, kinds[1]), (second, kinds[0])):
            own = self.loss[:, :, unit]
            # What it loses beside its partner, and beside what is outside where that demands more.
            pixels = np.arange(other.size, dtype=np.intp).reshape(other.shape)
            pixels += other.astype(np.intp) * other.size
            beside = np.take(own.reshape(-1), pixels, mode="clip")
            for outside, total in enumerate(loss):
                total += np.where(alone | (other >= outside), beside, own[outside])
        return Units(np.where(alone, np.uint8(0), np.maximum(*kinds)), loss, False)


def exchange_partners(cost: FloatArray) -> tuple[Int64Array, Int64Array]:
    """Pairs of units with a small sum of ``cost``: their first and their second members.

    Neighbours to begin with; ``cost`` is of an even number of units.
    """
    first, second = np.arange(0, len(cost), 2), np.arange(1, len(cost), 2)
    while True:
        now = cost[first, second]
        both = now[:, np.newaxis] + now
        straight = cost[np.ix_(first, first)] + cost[np.ix_(second, second)] - both
        crossed = cost[np.ix_(first, second)]
        crossed = crossed + crossed.T - both
        change = np.minimum(straight, crossed)
        change[np.tril_indices(len(first))] = 0
        tolerance = 1e-9 * float(np.abs(now).sum())
        candidates = np.argwhere(change < -tolerance)
        if len(candidates) == 0:
            return first, second
        order = np.argsort(change[tuple(candidates.T)], kind="stable")
        moved = np.zeros(len(first), bool)
        for i, j in candidates[order]:
            if moved[i] or moved[j]:
                continue
            moved[i] = moved[j] = True
            if straight[i, j] <= crossed[i, j]:
                second[i], first[j] = first[j], second[i]
            else:
                second[i], second[j] = second[j], second[i]
