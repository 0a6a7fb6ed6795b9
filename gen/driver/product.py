"""A matrix product as what an engine takes and gives: commands, and the words of its streams."""

from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from golden import checks, encode_pairs, pack_2_4, store_pairs
from golden.engine import EngineShape, LayerCommand, layer_commands
from golden.format import ACTIVATION_MAX
from golden.multipoint import MAX_COMBINE_SHIFT
from golden.requantize import MAX_SHIFT, MULTIPLIER_BITS

BYTE = (0, ACTIVATION_MAX)
LIMITS = {
    "bias": (-(1 << 31), (1 << 31) - 1),
    "multiplier": (0, (1 << MULTIPLIER_BITS) - 1),
    "shift": (0, MAX_SHIFT),
    "zero_point": BYTE,
    "low": BYTE,
    "high": BYTE,
    "combine": (0, MAX_COMBINE_SHIFT),
}
"""Of each parameter of a column the smallest and the largest value."""

Bytes = npt.NDArray[np.uint8]
Integers = npt.NDArray[np.int64]
Activations = npt.NDArray[np.uint8 | np.int8 | np.uint32]
INDEX_BITS = 2
"""Of the place of a weight in its block of four."""


@dataclass(frozen=True)
class ColumnParameters:
    """What each column of a product is biased and requantized by, int64 (N,) each.

    ``golden.requantize`` of the sum plus ``bias``, clipped to ``low`` and ``high``. The sum is that
    of ``golden.combine`` with the shifts ``combine``, on an engine whose columns combine.

    Raises ``TypeError`` or ``ValueError``, one line, for what ``golden.requantize`` does not take
    either, a bias that is no int32, and arrays that are not of one length.
    """

    bias: Integers
    multiplier: Integers
    shift: Integers
    zero_point: Integers
    low: Integers
    high: Integers
    combine: Integers

    def __post_init__(self) -> None:
        for each in fields(self):
            values = checks.integers(each.name, getattr(self, each.name), *LIMITS[each.name])
            if values.shape != (len(self.bias),):
                raise ValueError(
                    f"{each.name} must be of the {len(self.bias)} columns that bias is of, not of "
                    f"shape {values.shape}"
                )
        wrong = np.flatnonzero(self.low > self.high)
        if len(wrong):
            column = int(wrong[0])
            raise ValueError(
                f"low must be at most high, not {self.low[column]} where high is "
                f"{self.high[column]} (of column {column})"
            )

    @classmethod
    def of(
        cls,
        columns: int,
        bias: npt.ArrayLike = 0,
        multiplier: npt.ArrayLike = 0,
        shift: npt.ArrayLike = 0,
        zero_point: npt.ArrayLike = 0,
        low: npt.ArrayLike = 0,
        high: npt.ArrayLike = ACTIVATION_MAX,
        combine: npt.ArrayLike = 0,
    ) -> "ColumnParameters":
        """Of so many columns; what is one number is the same for all."""
        values = (bias, multiplier, shift, zero_point, low, high, combine)
        given = {
            each.name: checks.integers(each.name, value, *LIMITS[each.name]).astype(np.int64)
            for each, value in zip(fields(cls), values, strict=True)
        }
        for name, array in given.items():
            if array.shape not in ((), (1,), (columns,)):
                raise ValueError(
                    f"{name} must be one number, or one for each of the {columns} columns, not of "
                    f"shape {array.shape}"
                )
        return cls(**{name: np.broadcast_to(array, (columns,)) for name, array in given.items()})

    def of_part(self, first: int, columns: int) -> "ColumnParameters":
        """Those of so many columns from the first one on."""
        return ColumnParameters(
            *(getattr(self, each.name)[first : first + columns] for each in fields(self))
        )

    def words(self, columns: int) -> npt.NDArray[np.uint32]:
        """Three words for each column, zeros beyond the last one: uint32 (columns, 3)."""
        words = np.zeros((columns, 3), np.int64)
        count = len(self.bias)
        words[:count, 0] = self.bias
        words[:count, 1] = self.multiplier | self.shift << 16 | self.combine << 22
        words[:count, 2] = self.zero_point | self.low << 8 | self.high << 16
        return (words & 0xFFFF_FFFF).astype(np.uint32)


@dataclass(frozen=True)
class EngineProduct:
    """A product ``x @ w`` on an engine, and how its operands and results stream.

    The rows of the engine's results are those of ``x`` in their order: the engine sends the row
    that it was given first, first.

    Parameters
    ----------
    shape : EngineShape
    weight_bits : int
    sparse : bool
        Weights must be 2:4 sparse, and come with their places.
    x : uint8 (M, K), int8 (M, K), or uint32 (M, ceil(K/2))
        Activations, signed ones as bytes with a zero point, or in two's complement where they have
        7 bits of magnitude; or of an engine with encoded input also their stored pairs, such as
        another product's results.
    w : int8 (K, N)
    parameters : ColumnParameters
        Of N columns.
    exact, sums, encoded, zero_point
        As of a :class:`golden.engine.Command`; with encoded input bytes are encoded less it.

    Raises
    ------
    TypeError, ValueError
        One line for operands of other types, values or shapes, a product that does not fit the
        engine, or weights that are not sparse.
    """

    shape: EngineShape
    weight_bits: int
    sparse: bool
    x: Activations
    w: npt.NDArray[np.int8]
    parameters: ColumnParameters
    exact: bool = False
    sums: bool = False
    encoded: bool = False
    zero_point: int = 0

    def __post_init__(self) -> None:
        if self.x.ndim != 2 or self.w.ndim != 2:
            raise ValueError(
                f"x and w must be matrices, not of shapes {self.x.shape} and {self.w.shape}"
            )
        columns = self.w.shape[1]
        if len(self.parameters.bias) != columns:
            raise ValueError(
                f"parameters must be of the {columns} columns of w, not of "
                f"{len(self.parameters.bias)}"
            )
        self._check_combination()
        if self._has_bytes:
            self._check_bytes()
            return
        checks.weights(self.w, self.weight_bits)
        if not self.shape.encoded_input:
            raise ValueError(
                f"x must be uint8 for an engine without encoded input, not {self.x.dtype}"
            )
        if self.x.shape[1] != -(-self.w.shape[0] // 2):
            raise ValueError(
                f"x must be {-(-self.w.shape[0] // 2)} stored pairs wide for K of "
                f"{self.w.shape[0]}, not {self.x.shape[1]}"
            )
        self.shape.check_zero_point(self.zero_point)

    def _check_combination(self) -> None:
        what, stride = ("of even columns", 2) if self.shape.multipoint else ("on this engine", 1)
        shifts = self.parameters.combine
        wrong = np.flatnonzero(shifts[::stride]) * stride
        if len(wrong):
            column = int(wrong[0])
            raise ValueError(f"combine must be 0 {what}, not {shifts[column]} (of column {column})")

    @property
    def _has_bytes(self) -> bool:
        """Whether ``x`` is of bytes that the engine takes, or that are encoded for it."""
        fmt = self.shape.format
        is_signed = fmt is not None and fmt.signed and not fmt.takes_zero_point
        return self.x.dtype == np.uint8 or (is_signed and self.x.dtype == np.int8)

    def _check_bytes(self) -> None:
        shape, fmt = self.shape, self.shape.format
        if fmt is None or not fmt.signed:
            checks.matmul_operands(self.x, self.w, self.weight_bits)
            shape.check_zero_point(self.zero_point)
            return
        if self.x.dtype == np.int8 and self.zero_point:
            raise ValueError(f"x must be uint8 where zero_point is {self.zero_point}, not int8")
        checks.matmul_operands(self.x, self.w, self.weight_bits, fmt, self.zero_point)
        if not shape.encoded_input:
            shape.check_zero_point(self.zero_point)

    @cached_property
    def commands(self) -> list[LayerCommand]:
        """In the order in which they are started."""
        m, (k, n) = len(self.x), self.w.shape
        mode = self.exact, self.sums, self.encoded, self._filler
        return layer_commands(self.shape, m, k, n, *mode)

    @property
    def _filler(self) -> int:
        """What stands for 0 in what streams: of stored pairs 0."""
        return 0 if self.shape.encoded_input else self.zero_point

    @property
    def _depth(self) -> int:
        return self.commands[0].command.depth

    @property
    def _tiles_n(self) -> int:
        return self.commands[0].command.tiles_n

    def activations(self) -> Bytes:
        """Words of activations: uint8 (words, bytes), as many words for each slice as it takes."""
        shape, depth = self.shape, self._depth
        values, per_slice = self._values(), shape.k_per_cycle // (2 if shape.encoded_input else 1)
        parts = []
        for each in self.commands:
            tiles_m = each.command.tiles_m
            rows = values[each.first_row : each.first_row + tiles_m * shape.rows]
            padded = np.full((tiles_m * shape.rows, depth * per_slice), self._filler, values.dtype)
            padded[: rows.shape[0], : rows.shape[1]] = rows
            slices = padded.reshape(tiles_m, shape.rows, depth, per_slice)
            words = slices.transpose(0, 2, 1, 3).reshape(tiles_m * depth, -1)
            if shape.encoded_input:
                words = np.packbits(_bits(words, shape.pair_bits), axis=1, bitorder="little")
            parts.append(np.tile(words, (self._tiles_n, 1)))
        return self._stream_words(np.concatenate(parts))

    def _values(self) -> npt.NDArray[Any]:
        """What streams of ``x``: its bytes or stored pairs."""
        fmt = self.shape.format
        if not self._has_bytes:
            return self.x
        if not self.shape.encoded_input:
            return self.x.view(np.uint8)
        assert fmt is not None  # of stored pairs
        return store_pairs(encode_pairs(self.x, fmt, self.zero_point), fmt)

    def weights(self) -> Bytes:
        """Words of weights: uint8 (words, bytes), as many words for each slice as it takes."""
        shape, depth = self.shape, self._depth
        (k, n), tiles_n = self.w.shape, self._tiles_n
        padded = np.zeros((depth * shape.k_per_cycle, tiles_n * shape.cols), np.int8)
        padded[:k, :n] = self.w
        words_of: list[tuple[npt.NDArray[Any], int]] = [(padded, self.weight_bits)]
        if self.sparse:
            values, places = pack_2_4(padded)
            words_of = [(values, self.weight_bits), (places, INDEX_BITS)]
        bits = []
        for values, width in words_of:
            by_tile = values.reshape(depth, -1, tiles_n, shape.cols).transpose(2, 0, 3, 1)
            bits.append(_bits(by_tile.reshape(tiles_n * depth, -1), width))
        words = np.packbits(np.concatenate(bits, axis=1), axis=1, bitorder="little")
        by_column = words.reshape(tiles_n, depth, -1)
        parts = []
        for each in self.commands:
            times = 1 if shape.weight_depth else each.command.tiles_m
            parts.append(np.tile(by_column, (1, times, 1)).reshape(-1, words.shape[1]))
        return self._stream_words(np.concatenate(parts))

    def _stream_words(self, slices: Bytes) -> Bytes:
        """The words of a stream that slices (slices, bytes) take, the last of each filled up."""
        if not self.shape.stream_bits:
            return slices
        word_bytes = self.shape.stream_bits // 8
        padded = np.pad(slices, ((0, 0), (0, -slices.shape[1] % word_bytes)))
        return padded.reshape(-1, word_bytes)

    def parameter_words(self) -> Bytes:
        """Words of parameters: uint8 (words, 4)."""
        columns = self._tiles_n * self.shape.cols
        words = np.ascontiguousarray(self.parameters.words(columns).reshape(-1, 1), "<u4")
        return np.tile(words.view(np.uint8), (len(self.commands), 1))

    @property
    def packets(self) -> list[int]:
        """How many words of results come for each command."""
        return [self.shape.packet_words(each.command) for each in self.commands]

    @property
    def result_words(self) -> int:
        """How many words of results come."""
        return sum(self.packets)

    def result(self, words: Bytes) -> npt.NDArray[Any]:
        """The product (M, N), int32 sums or uint8, from words of results: uint8 (words, bytes).

        Encoded, its stored pairs: uint32 (M, ceil(N/2)), as a next product's ``x`` takes them.
        """
        shape, m, n = self.shape, len(self.x), self.w.shape[1]
        cols = shape.cols
        if self.encoded:
            n, cols = -(-n // 2), cols // 2
        parts, start = [], 0
        for each, count in zip(self.commands, self.packets, strict=True):
            rows = each.command.tiles_m * shape.rows
            values = self._results(words[start : start + count])[: rows * cols * self._tiles_n]
            by_column = values.reshape(self._tiles_n, rows, cols)
            parts.append(by_column.transpose(1, 0, 2).reshape(rows, -1))
            start += count
        return np.concatenate(parts)[:m, :n]

    def words(self, result: npt.NDArray[Any]) -> Bytes:
        """The words in which ``result`` leaves: uint8 (words, bytes); inverse of :meth:`result`.

        Of a product of whole tiles, as nothing else says what is beside one.
        """
        shape = self.shape
        words = []
        for each in self.commands:
            rows = each.command.tiles_m * shape.rows
            values = result[each.first_row : each.first_row + rows]
            by_column = values.reshape(rows, self._tiles_n, -1).transpose(1, 0, 2).reshape(-1)
            if self.encoded:
                bits = _bits(by_column[np.newaxis], shape.pair_bits)[0]
                bytes_ = np.packbits(bits, bitorder="little")
            else:
                bytes_ = by_column.astype("<i4" if self.sums else np.uint8).view(np.uint8)
            parts = np.pad(bytes_, (0, -len(bytes_) % shape.lanes)).reshape(-1, shape.lanes)
            whole = shape.result_words * shape.result_bytes
            padded = np.pad(parts, ((0, 0), (0, whole - shape.lanes)))
            words.append(padded.reshape(-1, shape.result_bytes))
        return np.concatenate(words)

    def _results(self, packet: Bytes) -> npt.NDArray[Any]:
        """What the words of a packet hold, perhaps with zeros at the end."""
        of_lanes = packet.reshape(len(packet) // self.shape.result_words, -1)[:, : self.shape.lanes]
        values = np.ascontiguousarray(of_lanes).reshape(-1)
        if not self.encoded:
            return values.view("<i4" if self.sums else np.uint8)
        bits = np.unpackbits(values, bitorder="little")
        width = self.shape.pair_bits
        pairs = bits[: len(bits) // width * width].reshape(-1, width)
        return pairs @ (np.uint32(1) << np.arange(width, dtype=np.uint32))


def _bits(rows: npt.NDArray[Any], width: int) -> Bytes:
    """Of each row of integers the ``width`` low bits of all, side by side, the lowest first."""
    bits = rows.astype(np.int64)[..., np.newaxis] >> np.arange(width) & 1
    return bits.reshape(len(rows), -1).astype(np.uint8)
