"""Functions of a byte as tables: in hardware a memory of 256 bytes."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from golden import checks
from golden.format import ACTIVATION_MAX

Bytes = npt.NDArray[np.uint8]
Scale = tuple[float, int]
"""A step and a zero point: the byte b stands for ``(b - zero point) * step``."""


def byte_table(
    function: Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]],
    source: Scale,
    output: Scale,
) -> Bytes:
    """What ``function`` makes of each byte, as bytes: uint8 (256,).

    ``function`` takes float64 (256,), what the bytes stand for by ``source``, and gives as many; or
    (C, 256), one table for each channel. Each value is divided by the step of ``output``, rounded
    half to even, and clipped to bytes; where there is none (NaN) the zero point stands. The table
    is the same on every machine if the function is.
    """
    for name, (step, zero_point) in (("source", source), ("output", output)):
        if not 0 < step < np.inf:
            raise ValueError(f"the step of {name} must be positive and finite, not {step}")
        checks.integers(f"the zero point of {name}", zero_point, 0, ACTIVATION_MAX)
    real = (np.arange(ACTIVATION_MAX + 1.0) - source[1]) * source[0]
    with np.errstate(over="ignore"):
        scaled = np.rint(function(real) / output[0]) + output[1]
    entries = np.clip(np.where(np.isnan(scaled), output[1], scaled), 0, ACTIVATION_MAX)
    table: Bytes = entries.astype(np.uint8)
    return table


def look_up(table: npt.ArrayLike, x: npt.ArrayLike) -> Bytes:
    """``table[x]`` for the bytes ``x``; of a table (C, 256), ``table[c, x[..., c]]`` for (..., C).

    Raises ``ValueError`` or ``TypeError`` for what are no bytes, or shapes that do not fit.
    """
    entries = checks.activations(table, "table")
    index = checks.activations(x)
    size = ACTIVATION_MAX + 1
    if entries.ndim not in (1, 2) or entries.shape[-1] != size:
        raise ValueError(f"table must have the shape (256,) or (C, 256), not {entries.shape}")
    if entries.ndim == 1:
        return np.take(entries, index)
    if index.ndim < 1 or index.shape[-1] != len(entries):
        raise ValueError(
            f"x must have the shape (..., {len(entries)}) for as many tables, not {index.shape}"
        )
    result: Bytes = np.take(entries.reshape(-1), index + size * np.arange(len(entries)))
    return result
