"""A matrix product as the slices that an array takes and the rows of results it gives."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from golden import SparqFormat, encode_pairs, named_format, pack_2_4, store_pairs
from golden.format import ACTIVATION_BITS

Bytes = npt.NDArray[np.uint8]
WORD_BYTES = 8
INDEX_BITS = 2
"""Of the place of a weight in its block of four."""


def pack_fields(values: npt.NDArray[Any], width: int) -> Bytes:
    """Rows of integers as little-endian words, field 0 lowest.

    ``values``: integers of shape (rows, fields), of which the ``width`` low bits are taken. Returns
    uint8 (rows, bytes), each row padded to whole 64-bit words.
    """
    positions = np.arange(width, dtype=np.int64)
    bits = (values.astype(np.int64)[..., np.newaxis] >> positions) & 1
    packed = np.packbits(bits.reshape(len(values), -1).astype(np.uint8), axis=1, bitorder="little")
    return np.pad(packed, ((0, 0), (0, -packed.shape[1] % WORD_BYTES)))


def unpack_fields(words: Bytes, fields: int, width: int) -> npt.NDArray[np.int64]:
    """The inverse for signed fields: uint8 (rows, bytes) to int64 (rows, fields)."""
    bits = np.unpackbits(words, axis=1, count=fields * width, bitorder="little")
    places = np.int64(1) << np.arange(width, dtype=np.int64)
    places[-1] = np.int64(-1) << np.int64(width - 1)
    return bits.reshape(len(words), fields, width).astype(np.int64) @ places


def sidecar_format(sidecar: dict[str, Any]) -> SparqFormat | None:
    """The window format that a sidecar tells of; none of exact elements."""
    if sidecar["format"] is None:
        return None
    return named_format(*(sidecar[key] for key in ("format", "rounding", "vsparq", "group")))


@dataclass(frozen=True)
class ArrayShape:
    """What of an array decides how a product is cut for it (the names are its sidecar's)."""

    rows: int
    cols: int
    k_per_cycle: int
    weight_bits: int
    acc_bits: int
    sparse: bool
    stored_format: SparqFormat | None = None
    """Of activations that come as stored pairs."""
    takes_zero_point: bool = False
    """Whether bytes are affine, and come with their zero point."""

    @classmethod
    def of(cls, sidecar: dict[str, Any]) -> "ArrayShape":
        """The shape that a sidecar tells of."""
        sizes = ("rows", "cols", "k_per_cycle", "weight_bits", "acc_bits", "sparse")
        stored_format = sidecar_format(sidecar) if sidecar["encoded_input"] else None
        return cls(
            **{name: sidecar[name] for name in sizes},
            stored_format=stored_format,
            takes_zero_point=sidecar["zero_point_port"] is not None,
        )

    @property
    def operands(self) -> tuple[str, ...]:
        """The ports that take what :meth:`slices` gives."""
        zero_point = ("zero_point",) if self.takes_zero_point else ()
        return ("in_a", *zero_point, "in_w", *(("in_index",) if self.sparse else ()))

    def slices(
        self, x: npt.NDArray[Any], w: npt.NDArray[Any], zero_point: int = 0
    ) -> tuple[Bytes, ...]:
        """The slices of one tile: words of each of :attr:`operands`, uint8 (slices, bytes).

        ``x``: (up to rows, K) bytes, ``w``: (K, up to cols) int8, 2:4 sparse if the machine is;
        filled up with zeros, that is with ``zero_point`` in ``x``.
        """
        count = -(-x.shape[1] // self.k_per_cycle)
        depth = count * self.k_per_cycle
        activations = np.full((self.rows, depth), zero_point, np.int16)
        activations[: x.shape[0], : x.shape[1]] = x
        weights = np.zeros((depth, self.cols), np.int8)
        weights[: w.shape[0], : w.shape[1]] = w
        values: npt.NDArray[Any] = activations
        width = ACTIVATION_BITS
        if self.stored_format is not None:
            encoded = encode_pairs(values, self.stored_format, zero_point)
            values = store_pairs(encoded, self.stored_format)
            width = self.stored_format.stored_pair_bits
        by_slice = values.reshape(self.rows, count, -1).transpose(1, 0, 2)
        words = [pack_fields(by_slice.reshape(count, -1), width)]
        if self.takes_zero_point:
            words.append(pack_fields(np.full((count, 1), zero_point), ACTIVATION_BITS))
        if not self.sparse:
            return *words, self._by_column(weights, count, self.weight_bits)
        values, places = pack_2_4(weights)
        return (
            *words,
            self._by_column(values, count, self.weight_bits),
            self._by_column(places, count, INDEX_BITS),
        )

    def _by_column(self, values: npt.NDArray[Any], count: int, width: int) -> Bytes:
        """Words of ``count`` slices, column 0 low, from values (steps of all slices, cols)."""
        by_slice = values.reshape(count, -1, self.cols).transpose(0, 2, 1)
        return pack_fields(by_slice.reshape(count, -1), width)

    def tiles(self, m: int, n: int) -> Iterator[tuple[slice, slice]]:
        """The tiles of an (m, n) product, column by column within each stripe of rows."""
        for top in range(0, m, self.rows):
            for left in range(0, n, self.cols):
                yield slice(top, min(top + self.rows, m)), slice(left, min(left + self.cols, n))

    def results(self, words: Bytes) -> npt.NDArray[np.int64]:
        """One tile's results (rows, cols), from its rows of ``out_acc`` in order of arrival."""
        return unpack_fields(words, self.cols, self.acc_bits)[::-1]
