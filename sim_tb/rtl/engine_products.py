"""Random products for engines, and every count that an engine must make of them."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from gen.design.configuration import Configuration
from gen.driver.product import Activations, ColumnParameters, EngineProduct
from gen.simulation.simulate_engine import random_engine_operands, random_shifts
from golden import decode_pairs, load_pairs
from golden.engine import MAX_COUNT, EngineShape, busy_cycles

LONGEST = 3
"""Tiles in a row or column of a product, at most; of the last one a row or column is used."""


class Work(NamedTuple):
    """What an engine is to multiply: arguments of :class:`EngineProduct`."""

    x: Activations
    w: npt.NDArray[np.int8]
    parameters: ColumnParameters
    exact: bool = False
    sums: bool = False
    encoded: bool = False
    zero_point: int = 0

    @property
    def mode(self) -> str:
        """Its mode, for messages."""
        return f"exact {self.exact}, sums {self.sums}, encoded {self.encoded}"


def random_work(
    configuration: Configuration,
    shape: EngineShape,
    rng: np.random.Generator,
    size: tuple[int, int, int] | None = None,
    exact: bool | None = None,
    sums: bool | None = None,
    encoded: bool | None = None,
) -> Work:
    """Any product, or one of this ``size`` (M, K, N), in this mode: parameters reach all limits."""
    longest = min(5 * shape.k_per_cycle * shape.rows, longest_reduction(configuration, shape))
    m, k, n = size or (
        int(rng.integers(1, most + 1))
        for most in ((LONGEST - 1) * shape.rows + 1, longest, (LONGEST - 1) * shape.cols + 1)
    )
    x, w, zero_point = random_engine_operands(configuration, m, k, n, rng)
    spread = int(rng.choice([10, 10_000, 1 << 31]))
    parameters = ColumnParameters.of(
        n,
        rng.integers(-spread, spread, n),
        rng.integers(0, 1 << 15, n),
        rng.integers(10, 34, n),
        rng.integers(0, 256, n),
        rng.integers(0, 128, n),
        rng.integers(128, 256, n),
        random_shifts(n, rng) if shape.multipoint else 0,
    )
    modes = bool(shape.planes) and bool(rng.random() < 0.5), bool(rng.random() < 0.5)
    exact, sums = (
        mode if given is None else given for mode, given in zip(modes, (exact, sums), strict=True)
    )
    if encoded is None:
        encoded = shape.encoded_output and not sums and bool(rng.random() < 0.6)
    return Work(x, w, parameters, exact, sums, encoded, zero_point)


def longest_reduction(configuration: Configuration, shape: EngineShape) -> int:
    """The largest K whose sums cannot overflow, and whose weights the engine holds."""
    held = shape.weight_depth or MAX_COUNT
    return min(configuration.max_reduction, held * shape.k_per_cycle)


def plan(configuration: Configuration, shape: EngineShape, work: Work) -> EngineProduct:
    """The product as the engine takes it."""
    return EngineProduct(shape, configuration.mac.weight_bits, configuration.is_sparse, *work)


def filled_up(shape: EngineShape, work: Work) -> Work:
    """The same with rows and columns that fill all tiles: the engine takes the same words for it,
    and every word that it gives is part of the result.
    """
    (m, k), n = work.x.shape, work.w.shape[1]
    rows, columns = -(-m // shape.rows) * shape.rows, -(-n // shape.cols) * shape.cols
    x = np.full((rows, k), work.zero_point, work.x.dtype)
    w = np.zeros((k, columns), np.int8)
    x[:m], w[:, :n] = work.x, work.w
    given = vars(work.parameters).values()
    parameters = ColumnParameters(*(np.pad(each, (0, columns - n)) for each in given))
    return work._replace(x=x, w=w, parameters=parameters)


def expected_counts(
    shape: EngineShape, planes: list[int], product: EngineProduct
) -> dict[str, int]:
    """What the counters of slices and pairs show, whatever stalls."""
    busy = sum(busy_cycles(shape, each.command) for each in product.commands)
    slices = _activations(shape, product)
    if product.exact and len(planes) > 1:
        slices = np.concatenate([slices & np.uint8(mask) for mask in planes])
    counts = {"busy": busy, "pairs": 0, "pairs_with_zero": 0, "zero_pairs": 0}
    if shape.k_per_cycle % 2 == 0:
        not_zero = (slices.reshape(-1, 2) != 0).sum(axis=1)
        counts["pairs"] = busy * shape.rows * shape.k_per_cycle // 2
        counts["pairs_with_zero"] = int((not_zero == 1).sum())
        # The machine also takes empty slices, which fill up groups.
        counts["zero_pairs"] = counts["pairs"] - int((not_zero > 0).sum())
    return counts


def _activations(shape: EngineShape, product: EngineProduct) -> npt.NDArray[Any]:
    """The magnitudes in all slices: of what stored pairs stand for, where they come as such."""
    words = product.activations()
    if not shape.encoded_input or shape.format is None:
        slices = words.reshape(len(words) // shape.activation_words, -1)
        values = slices[:, : shape.rows * shape.k_per_cycle]
        if product.x.dtype == np.int8:
            return np.abs(values.view(np.int8))
        return np.abs(values.astype(np.int16) - product.zero_point).astype(np.uint8)
    count = shape.rows * shape.k_per_cycle // 2
    bits = np.unpackbits(words, axis=1, count=count * shape.pair_bits, bitorder="little")
    places = np.int64(1) << np.arange(shape.pair_bits)
    pairs = bits.reshape(len(words), count, shape.pair_bits) @ places
    return decode_pairs(load_pairs(pairs, shape.format), shape.format)
