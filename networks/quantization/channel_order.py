"""Which channels are paired: an order of the input channels of a layer."""

import numpy as np
import numpy.typing as npt

import golden
from networks.quantization.operations import Bytes, Int64Array, IntegerMatrixLayer

MAX_CHANNELS = 4096
MAX_ROWS = 1 << 15
"""Pixels that an order is chosen on; more tell nothing new."""


def calibrated_order(
    layer: IntegerMatrixLayer, x: Bytes, fmt: golden.SparqFormat
) -> Int64Array | None:
    """The channel order of ``layer`` with small squared error of its products on the input ``x``.

    An activation with a zero partner keeps both lanes, so channels are paired that are seldom
    non-zero together, weighted by what their windows lose and by their weights. From the natural
    order on, two pairs exchange partners as long as that is a gain: the result is never worse on
    ``x``. None (the natural order) where partners make no difference (no vSPARQ), pairs are not
    channels of one pixel, or there are more than ``MAX_CHANNELS``.
    """
    channels = x.shape[-1]
    if not fmt.vsparq or layer.groups > 1 or channels % 2 or not 4 <= channels <= MAX_CHANNELS:
        return None
    rows = x.reshape(-1, channels)
    rows = rows[:: -(-len(rows) // MAX_ROWS)]
    gains = (layer.weights.astype(np.float64) ** 2).reshape(-1, channels, layer.width)
    cost = pairing_cost(rows, gains.sum(axis=(0, 2)), fmt)
    first, second = exchange_partners(cost)
    return np.stack([first, second], axis=1).reshape(-1)


def pairing_cost(
    rows: Bytes, gains: npt.NDArray[np.float64], fmt: golden.SparqFormat
) -> npt.NDArray[np.float64]:
    """Squared error that each pair of channels would make, float64 (C, C), symmetric."""
    value = np.arange(256, dtype=np.uint8)
    pairs = np.stack([np.repeat(value, 2), np.tile(np.array([0, 255], np.uint8), 256)], axis=1)
    effective = golden.sparq(pairs, fmt).reshape(256, 2, 2)[:, :, 0].astype(np.float32)
    alone, paired = ((effective - value[:, np.newaxis].astype(np.float32)) ** 2).T
    partner = (rows != 0).astype(np.float32)
    more = (paired - alone)[rows].T @ partner
    one_sided = gains[:, np.newaxis] * (more + alone[rows].sum(axis=0)[:, np.newaxis])
    cost: npt.NDArray[np.float64] = one_sided + one_sided.T
    return cost


def exchange_partners(cost: npt.NDArray[np.float64]) -> tuple[Int64Array, Int64Array]:
    """Pairs of channels with a small sum of ``cost``: their first and their second members."""
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
