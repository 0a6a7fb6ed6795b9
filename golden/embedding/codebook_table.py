"""A table whose codes are places in a codebook, one for each row or for each block of rows."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from golden import checks
from golden.embedding.packing import code_bytes, pack_codes
from golden.embedding.row_ranges import Float64Array, checked_bits, checked_values

ITERATIONS = 25
"""Of Lloyd's algorithm; it stops earlier where nothing moves."""


@dataclass(frozen=True)
class CodebookTable:
    """Codes into codebooks of ``2**bits`` values; row r has ``codebooks[block[r]][code]``.

    Parameters
    ----------
    codes : uint8 (rows, width)
    codebooks : float16 (blocks, 2**bits)
    block : int64 (rows,)
        Which codebook a row has: its own, where there are as many blocks as rows.
    bits : int
        2 or 4, of a code.
    """

    codes: npt.NDArray[np.uint8]
    codebooks: npt.NDArray[np.float16]
    block: npt.NDArray[np.int64]
    bits: int

    @classmethod
    def from_float(
        cls, values: npt.ArrayLike, bits: int = 4, blocks: int | None = None
    ) -> "CodebookTable":
        """The table of ``values`` (rows, width), by k-means (Lloyd) on the values of each block.

        With ``blocks`` the rows are clustered into so many first, by k-means on whole rows;
        without, each row is a block. Nothing is random: centres start at evenly spread ranks.
        """
        table = checked_values(values)
        if checked_bits(bits) == 8:
            raise ValueError("bits of codebooks must be 2 or 4, not 8")
        count = len(table)
        if blocks is not None and (
            isinstance(blocks, bool)
            or not isinstance(blocks, int | np.integer)
            or not 1 <= blocks <= count
        ):
            raise ValueError(f"blocks must be an integer from 1 to {count}, not {blocks!r}")
        block = np.arange(count) if blocks is None else cluster_rows(table, int(blocks))
        books = np.zeros((int(block.max()) + 1, 1 << bits), np.float16)
        codes = np.zeros(table.shape, np.uint8)
        for index in range(len(books)):
            members = np.flatnonzero(block == index) if blocks is not None else [index]
            own = table[members]
            books[index] = line_centres(own.ravel(), 1 << bits).astype(np.float16)
            codes[members] = nearest(own, books[index].astype(np.float64))
        return cls(codes, books, block, bits)

    def lookup(self, ids: npt.ArrayLike) -> npt.NDArray[np.float16]:
        """The values of the rows ``ids`` of any shape, float16 (..., width)."""
        rows = checks.integers("ids", ids, 0, len(self.codes) - 1)
        return self.codebooks[self.block[rows][..., np.newaxis], self.codes[rows]]

    def values(self) -> Float64Array:
        """All rows, float64 (rows, width)."""
        return self.lookup(np.arange(len(self.codes))).astype(np.float64)

    @property
    def nbytes(self) -> int:
        """Bytes of codes, codebooks and, where rows share one, of the numbers of their blocks."""
        rows, width = self.codes.shape
        number = 0 if len(self.codebooks) == rows else 1 + (len(self.codebooks) > 256)
        of_rows = rows * (code_bytes(width, self.bits) + number)
        return int(of_rows + self.codebooks.nbytes)

    def pack(self) -> npt.NDArray[np.uint8]:
        """The codes as those of a :class:`RowTable`, uint8 (rows, bytes)."""
        return pack_codes(self.codes, self.bits)


def line_centres(values: Float64Array, count: int) -> Float64Array:
    """``count`` centres of ``values`` (n,), ascending: each the mean of what is nearest to it."""
    line = np.sort(values)
    sums = np.concatenate([[0.0], np.cumsum(line)])
    centres = line[(2 * np.arange(count) + 1) * len(line) // (2 * count)]
    for _ in range(ITERATIONS):
        middles = (centres[:-1] + centres[1:]) / 2
        ends = np.concatenate([[0], np.searchsorted(line, middles), [len(line)]])
        sizes = np.diff(ends)
        moved = np.where(sizes > 0, np.diff(sums[ends]) / np.maximum(sizes, 1), centres)
        if np.array_equal(moved, centres):
            break
        centres = moved
    return centres


def nearest(values: Float64Array, centres: Float64Array) -> npt.NDArray[np.uint8]:
    """Which of the ascending ``centres`` is nearest to each of ``values``; the lower of two."""
    codes = np.searchsorted((centres[:-1] + centres[1:]) / 2, values)
    return codes.astype(np.uint8)


def cluster_rows(table: Float64Array, count: int) -> npt.NDArray[np.int64]:
    """Which of up to ``count`` clusters, numbered from 0, each row of ``table`` is in.

    Centres start at rows whose means are at evenly spread ranks; a cluster without rows is gone.
    """
    order = np.argsort(table.mean(axis=1), kind="stable")
    centres = table[order[(2 * np.arange(count) + 1) * len(table) // (2 * count)]]
    squares = np.square(table).sum(axis=1)[:, np.newaxis]
    block = np.full(len(table), -1)
    for _ in range(ITERATIONS):
        distances = squares - 2 * table @ centres.T + np.square(centres).sum(axis=1)
        found = distances.argmin(axis=1)
        if np.array_equal(found, block):
            break
        block = found
        for index in range(count):
            members = block == index
            if members.any():
                centres[index] = table[members].mean(axis=0)
    numbers: npt.NDArray[np.int64] = np.unique(block, return_inverse=True)[1]
    return numbers
