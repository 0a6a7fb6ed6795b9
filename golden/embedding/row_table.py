"""A table whose rows have a scale and a bias each."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from golden import checks
from golden.embedding.packing import code_bytes, pack_codes, unpack_codes
from golden.embedding.row_ranges import (
    ROW_RANGES,
    Codes,
    Float64Array,
    checked_bits,
    checked_values,
    quantize_rows,
)

HALF_BYTES = 2


@dataclass(frozen=True)
class RowTable:
    """Codes of 2, 4 or 8 bits, row by row; row r has ``scale[r] * code + bias[r]``.

    Parameters
    ----------
    codes : uint8 (rows, width)
    scale, bias : float16 (rows,)
    bits : int
        2, 4 or 8, of a code.
    """

    codes: npt.NDArray[np.uint8]
    scale: npt.NDArray[np.float16]
    bias: npt.NDArray[np.float16]
    bits: int

    @classmethod
    def from_float(
        cls, values: npt.ArrayLike, bits: int = 4, method: str = "greedy", **options: Any
    ) -> "RowTable":
        """The table of ``values`` (rows, width), their ranges found by ``method``.

        That is a name in :data:`ROW_RANGES`; ``options`` are its. Raises ``TypeError`` or
        ``ValueError`` for what is not allowed.
        """
        table = checked_values(values)
        if method not in ROW_RANGES:
            raise ValueError(f"method must be one of {', '.join(ROW_RANGES)}, not {method!r}")
        ranges = ROW_RANGES[method](table, checked_bits(bits), **options)
        return cls(*quantize_rows(table, ranges, bits), bits)

    def lookup(self, ids: npt.ArrayLike) -> Codes:
        """The rows ``ids`` of any shape: codes (..., width), scales and biases (...)."""
        rows = checks.integers("ids", ids, 0, len(self.codes) - 1)
        return Codes(self.codes[rows], self.scale[rows], self.bias[rows])

    def values(self) -> Float64Array:
        """What the codes stand for, exactly, float64 (rows, width)."""
        scale, bias = (half.astype(np.float64)[:, np.newaxis] for half in (self.scale, self.bias))
        values: Float64Array = self.codes * scale + bias
        return values

    @property
    def nbytes(self) -> int:
        """Bytes of :meth:`pack`."""
        rows, width = self.codes.shape
        return int(rows * (code_bytes(width, self.bits) + 2 * HALF_BYTES))

    def pack(self) -> npt.NDArray[np.uint8]:
        """The rows as FBGEMM lays out those of "fused N-bit row-wise" tables, uint8 (rows, bytes).

        Codes, element 0 in the low bits of byte 0, the last byte filled with zeros; then scale and
        bias in half precision, each with its low byte first.
        """
        halves = [each.astype("<f2").view(np.uint8) for each in (self.scale, self.bias)]
        parts = [each.reshape(-1, HALF_BYTES) for each in halves]
        return np.concatenate([pack_codes(self.codes, self.bits), *parts], axis=1)

    @classmethod
    def unpack(cls, packed: npt.ArrayLike, width: int, bits: int = 4) -> "RowTable":
        """The inverse of :meth:`pack`, of rows of ``width`` elements."""
        rows = checks.integers("packed", packed, 0, 255).astype(np.uint8)
        of_codes = code_bytes(width, checked_bits(bits))
        if rows.ndim != 2 or rows.shape[1] != of_codes + 2 * HALF_BYTES:
            raise ValueError(
                f"packed must have the shape (rows, {of_codes + 2 * HALF_BYTES}), not {rows.shape}"
            )
        halves = np.ascontiguousarray(rows[:, of_codes:]).view("<f2").astype(np.float16)
        codes = unpack_codes(rows[:, :of_codes], width, bits)
        return cls(codes, halves[:, 0].copy(), halves[:, 1].copy(), bits)
