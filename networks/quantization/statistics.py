"""What a layer's activations are like: zeros, pairs, and where windows come to stand."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf, log10
from typing import Any

import numpy as np
import numpy.typing as npt

import golden
from networks.graph.lowering import Array
from networks.quantization.arithmetic import Arithmetic, exact
from networks.quantization.compiled import products
from networks.quantization.network import QuantizedNetwork
from networks.quantization.operations import (
    LEVELS_4_BIT,
    Bytes,
    Int32Array,
    Int64Array,
    IntegerMatrixLayer,
    Quantization,
    UniformCodes,
)

VALUES = 256


def pairs_along_k(layer: IntegerMatrixLayer, x: Bytes) -> Bytes:
    """The pairs (P, 2) that ``layer`` makes of its input ``x``.

    Each pair of channels counts once; where pairs run across pixels or kernel elements (a group has
    an odd number of channels), each pair of each lowered row does, its odd tail paired with what
    stands for zero.
    """
    operand = layer.operand(x)
    if operand.shape[-1] // layer.groups % 2:
        rows = layer.lowering.lower(operand, layer.fill).reshape(-1, layer.depth)
        tail = ((0, 0), (0, layer.depth % 2))
        operand = np.pad(rows, tail, constant_values=layer.fill)
    return np.ascontiguousarray(operand).reshape(-1, 2)


@dataclass(frozen=True)
class PairStatistics:
    """How often each pair occurs: int64 (256, 256), by second and first activation."""

    counts: Int64Array

    @property
    def values(self) -> Int64Array:
        """How often each of the 256 activations occurs."""
        counts: Int64Array = self.counts.sum(axis=0) + self.counts.sum(axis=1)
        return counts

    @property
    def zeros(self) -> float:
        """Fraction of activations that are zero."""
        return float(self.values[0] / self.values.sum())

    @property
    def zero_pairs(self) -> float:
        """Fraction of pairs with at least one zero."""
        return 1 - float(self.counts[1:, 1:].sum() / self.counts.sum())

    def placements(self, fmt: golden.SparqFormat) -> dict[str, float]:
        """Fraction of the non-zero activations whose window stands at each shift.

        Windows of one lane are called by their shift; double windows, of activations with a zero
        partner, ``wide`` and their shift.
        """
        both = self.counts[1:, 1:]
        paired, alone = both.sum(axis=0) + both.sum(axis=1), self.counts[0, 1:] + self.counts[1:, 0]
        if not fmt.vsparq:
            paired, alone = paired + alone, np.zeros_like(alone)
        total = max(1, int(paired.sum() + alone.sum()))
        used = {}
        for prefix, counts, bits, placements in (
            ("", paired, fmt.window_bits, fmt.placements),
            ("wide ", alone, 2 * fmt.window_bits, fmt.wide_placements if fmt.vsparq else ()),
        ):
            below = 1
            for shift in placements:
                limit = min(1 << (bits + shift), VALUES)
                used[f"{prefix}{shift}"] = float(counts[below - 1 : limit - 1].sum() / total)
                below = limit
        return used

    def best_4_bit_codes(self, zero_point: int = 0) -> UniformCodes:
        """The 4-bit codes with the least mean squared error (best clipping).

        ``zero_point`` is the byte that stands for 0; where it is 0, so is the code for it.
        """
        value = np.arange(VALUES) - zero_point
        steps = np.arange(LEVELS_4_BIT, VALUES) / LEVELS_4_BIT
        nearest = np.rint(value / steps[:, np.newaxis])
        best = np.inf, UniformCodes(float(steps[-1]))
        for zero in range(LEVELS_4_BIT + 1 if zero_point else 1):
            codes = np.clip(nearest, -zero, LEVELS_4_BIT - zero)
            errors = ((codes * steps[:, np.newaxis] - value) ** 2 * self.values).sum(axis=1)
            index = int(errors.argmin())
            if errors[index] < best[0]:
                best = errors[index], UniformCodes(float(steps[index]), zero)
        return best[1]


def pair_statistics(network: QuantizedNetwork, images: Bytes) -> Mapping[str, Int64Array]:
    """For each layer the counts that :class:`PairStatistics` takes; they add over images."""
    counts = {}

    def count(layer: IntegerMatrixLayer, x: Bytes) -> None:
        words = pairs_along_k(layer, x).view("<u2").reshape(-1)
        found = np.bincount(words, minlength=VALUES * VALUES)
        counts[layer.name] = found.reshape(VALUES, VALUES)

    network.forward(images, exact, before=count)
    return counts


def product_sqnr(
    network: QuantizedNetwork, arithmetic: Arithmetic, images: Bytes
) -> dict[str, float]:
    """Signal to noise of the products of each windowed layer in ``arithmetic``, in dB.

    The inputs of the layers are those that exact products before them make of ``images``; noise is
    the difference from exact ones. Infinite without noise.
    """
    found = {}

    def compare(layer: IntegerMatrixLayer, x: Bytes) -> Int32Array:
        whole = products(layer, x, exact)
        if layer.windowed:
            zero = layer.fill * layer.weights.sum(axis=1, dtype=np.int64).reshape(-1)
            signal = float((((whole - zero) * layer.steps) ** 2).sum())
            difference = products(layer, x, arithmetic).astype(np.int64) - whole
            error = float(((difference * layer.steps) ** 2).sum())
            found[layer.name] = 10 * log10(signal / error) if signal and error else inf
        return whole

    network.forward(images, compare)
    return found


def noise(
    reference: npt.NDArray[np.float64], value: Array, quantization: Quantization
) -> tuple[float, float]:
    """Energy of ``reference``, and of its difference from the integers ``value``."""
    real: Any = (value.astype(np.float64) - quantization.zero_point) * quantization.step
    return float((reference**2).sum()), float(((real - reference) ** 2).sum())
