"""What a design must compute, and comparing what hardware computed with it."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

import golden
from gen.design.configuration import Configuration
from golden.format import ACTIVATION_BITS
from golden.structured import select
from hdl.catalogue import MacUnit
from support.errors import RunError


class MismatchError(RunError):
    """Hardware and golden differ: one line with the first differing element."""


class Operands(NamedTuple):
    """Two matrices to multiply, and the byte that stands for 0 in the first one."""

    x: npt.NDArray[Any]
    """(M, K): uint8, of signed bytes int8."""
    w: npt.NDArray[np.int8]
    """(K, N)."""
    zero_point: int = 0
    """0 to 255, of affine bytes; 0 of all others."""


def expected_product(
    configuration: Configuration, x: npt.NDArray[Any], w: npt.NDArray[Any], zero_point: int = 0
) -> npt.NDArray[np.int32]:
    """What a machine of ``configuration`` must compute of :class:`Operands`."""
    unit = configuration.mac
    if unit.format is None:
        return golden.exact_matmul(multiplied(unit, x), w, unit.weight_bits)
    product = golden.sparq_matmul_2_4 if unit.sparse else golden.sparq_matmul
    return product(x, w, unit.format.sparq_format, unit.weight_bits, zero_point)


def expected_products(
    unit: MacUnit, x: npt.NDArray[Any], w: npt.NDArray[Any]
) -> npt.NDArray[np.int64]:
    """What units must compute for stacks of matrices, ``x`` (..., M, K) and ``w`` (..., K, N).

    Behind 2:4 selection, activations are selected by each column before they are quantized.
    """
    if not unit.sparse:
        return multiplied(unit, x).astype(np.int64) @ w.astype(np.int64)
    columns = []
    for column in np.moveaxis(w, -1, 0):
        selected, values = select(np.asarray(x), column)
        products = multiplied(unit, selected).astype(np.int64) * values[..., np.newaxis, :]
        columns.append(products.sum(axis=-1))
    return np.stack(columns, axis=-1)


def multiplied(
    unit: MacUnit, x: npt.NDArray[Any], zero_point: int = 0
) -> npt.NDArray[np.uint8 | np.int16]:
    """What activations ``x`` (..., K) become before a unit multiplies them."""
    if unit.format is None:
        return golden.low_bits(x, unit.activation_bits)
    return golden.sparq(x, unit.format.sparq_format, zero_point=zero_point)


def random_operands(
    configuration: Configuration, depth: int, generator: np.random.Generator
) -> Operands:
    """One tile for a machine of ``configuration``, ``depth`` steps of K long."""
    return random_matrices(configuration, configuration.rows, depth, configuration.cols, generator)


def random_matrices(
    configuration: Configuration, m: int, k: int, n: int, generator: np.random.Generator
) -> Operands:
    """Matrices (m, k) and (k, n) that ``configuration`` can multiply.

    Activations are zero with a probability of their own, so that pairs of all kinds occur, and as
    small as they happen to be, so that windows stand low as well as high.
    Where weights must be 2:4 sparse, groups with two, one and none occur.
    """
    half = 1 << (configuration.mac.weight_bits - 1)
    x, zero_point = _random_activations(configuration.mac.sparq_format, m, k, generator)
    w = generator.integers(-half, half, (k, n), dtype=np.int8)
    if configuration.is_sparse:
        groups = -(-k // 4)
        rank = generator.random((groups, 4, n)).argsort(axis=1)
        kept = rank < generator.choice((2, 2, 2, 1, 0), (groups, 1, n))
        w[~kept.reshape(-1, n)[:k]] = 0
    return Operands(x, w, zero_point)


def _random_activations(
    fmt: golden.SparqFormat | None, m: int, k: int, generator: np.random.Generator
) -> tuple[npt.NDArray[Any], int]:
    """Activations (m, k) of exact elements or of a format, and their zero point."""
    x = generator.integers(0, 256, (m, k), dtype=np.uint8)
    x >>= generator.integers(0, generator.integers(1, 9), x.shape, dtype=np.uint8)
    x[generator.random(x.shape) < generator.random()] = 0
    if fmt is None or not fmt.signed:
        return x, 0
    values = (x >> ACTIVATION_BITS - fmt.magnitude_bits) * generator.choice([-1, 1], x.shape)
    if not fmt.takes_zero_point:
        return values.astype(np.int8), 0
    zero_point = (0, 128, 255, int(generator.integers(256)))[generator.integers(4)]
    return (values + zero_point).clip(0, 255).astype(np.uint8), zero_point


def require_equal(what: str, got: npt.NDArray[Any], expected: npt.NDArray[Any]) -> None:
    """Raise :class:`MismatchError` at the first element that differs."""
    differs = got != expected
    if differs.any():
        row, column = (int(index) for index in np.argwhere(differs)[0])
        raise MismatchError(
            f"{what}: row {row}, column {column}: expected {expected[row, column]}, "
            f"got {got[row, column]} ({int(differs.sum())} of {differs.size} elements differ)"
        )
