"""Whether the sums of a layer fit the accumulators that they are made in."""

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from gen.compiler.errors import CompileError, RangeError
from golden import SparqFormat, sparq
from golden.format import ACTIVATION_MAX


def require_sums(
    name: str,
    weights: npt.NDArray[np.int8],
    acc_bits: int,
    fmt: SparqFormat | None,
    zero_point: int = 0,
) -> None:
    """Raise ``CompileError`` unless the sums of all columns of ``weights`` (..., K, N) fit
    ``acc_bits`` bits, whatever bytes the layer ``name`` takes.

    These are multiplied as bytes, or, with a format, as its windows of them less ``zero_point``.
    """
    low, high = (0, ACTIVATION_MAX) if fmt is None else _effective_limits(fmt, zero_point)
    positive = np.maximum(weights, 0).sum(axis=-2, dtype=np.int64)
    negative = np.minimum(weights, 0).sum(axis=-2, dtype=np.int64)
    most = int((high * positive + low * negative).max())
    least = int((low * positive + high * negative).min())
    needed = 1 + max(most.bit_length(), (~least).bit_length())
    if needed > acc_bits:
        # What stands for 0 is chosen by the ranges of values.
        depends = fmt is not None and fmt.signed
        raise (RangeError if depends else CompileError)(
            f"{name}: its sums of products can take {needed} bits, and acc_bits is {acc_bits}"
        )


@lru_cache
def _effective_limits(fmt: SparqFormat, zero_point: int) -> tuple[int, int]:
    """The smallest and the largest value that windows make of any byte less ``zero_point``.

    What a window makes of a byte depends on whether its partner is zero, and on the largest of its
    group: a byte beside any other one, and in groups also any other one in the next pair.
    """
    places = (1,) if fmt.group <= 2 else (1, 2)
    rows = np.full((len(places), 1 << 16, max(2, fmt.group)), zero_point, np.uint8)
    byte, other = np.divmod(np.arange(1 << 16), 1 << 8)
    rows[:, :, 0] = byte
    for index, place in enumerate(places):
        rows[index, :, place] = other
    effective = sparq(rows, fmt, zero_point=zero_point)[..., 0]
    return int(effective.min()), int(effective.max())
