"""What an accelerator is to its programs, and how its tensors and parameters lie in memory."""

from dataclasses import dataclass
from math import gcd

import numpy as np
import numpy.typing as npt

from golden.descriptor import slice_bytes
from golden.format import ACTIVATION_BITS, SparqFormat

Bytes = npt.NDArray[np.uint8]

COLUMN_PARAMETERS = np.dtype(
    [
        *(("bias", "<i4"), ("multiplier", "<u2"), ("shift", "u1"), ("reserved_0", "u1")),
        *(("zero_point", "u1"), ("low", "u1"), ("high", "u1"), ("reserved_1", "u1")),
    ]
)
"""What a channel is biased and requantized by: three words of 32 bits."""
WORD_BYTES = 4
SUM_BITS = 8 * WORD_BYTES
"""Of a sum with its bias."""
WEIGHT_DTYPE = np.dtype("<i2")
"""Of the vector unit's weights."""


@dataclass(frozen=True)
class AcceleratorShape:
    """What of an accelerator decides what its programs mean.

    Attributes
    ----------
    rows, cols : int
        Of the machine that multiplies; ``rows`` is a power of two from 2, ``cols`` a multiple of
        ``k_per_cycle``.
    k_per_cycle : int
        Channels of a word of the scratchpad: steps of the reduction per slice.
    lines : int
        Of the scratchpad, a power of two.
    beat_bytes : int
        Of a word of the memory outside, a power of two from 4, at most a line.
    weight_depth : int
        Slices of weights that the machine holds: the longest reduction.
    weight_bits : int
    acc_bits : int
        Of the machine's sums, up to 32: what does not fit wraps.
    activation_bits : int
        8; 4 where the machine takes the low bits of a byte alone.
    format : SparqFormat or None
        Of a machine with windows.
    multiplies : bool
        The vector unit has multipliers. Otherwise it adds up bytes: of a weight the lowest bit
        alone counts.
    encodes : bool
        LOADs and STOREs can move lines that are stored pairs of the format in memory.
    more_latency : int
        Cycles from the last slice of a tile to its first row of sums, more than an array of
        multipliers without registers has. No program's results depend on it.

    Raises
    ------
    ValueError
        One line that names the offending value and what is allowed.
    """

    rows: int
    cols: int
    k_per_cycle: int
    lines: int
    beat_bytes: int
    weight_depth: int
    weight_bits: int = 8
    acc_bits: int = SUM_BITS
    activation_bits: int = ACTIVATION_BITS
    format: SparqFormat | None = None
    multiplies: bool = True
    encodes: bool = False
    more_latency: int = 0

    def __post_init__(self) -> None:
        for name, least, most in (
            ("rows", 2, 256),
            ("lines", 2, 1 << 16),
            ("beat_bytes", WORD_BYTES, self.line_bytes),
        ):
            value = getattr(self, name)
            if not least <= value <= most or value & (value - 1):
                raise ValueError(
                    f"{name} of an accelerator must be a power of two from {least} to {most}, "
                    f"not {value}"
                )
        if self.cols % self.k_per_cycle:
            raise ValueError(
                f"cols of an accelerator must be a multiple of {self.k_per_cycle}, the steps of "
                f"the reduction per cycle, not {self.cols}"
            )
        if self.encodes and self.format is None:
            raise ValueError("encodes of an accelerator must be False without a format, not True")

    @property
    def latency(self) -> int:
        """Cycles from the last slice of a tile to its first row of sums."""
        return self.rows + self.cols + 2 + self.more_latency

    @property
    def banks(self) -> int:
        """Of the scratchpad: pixels that are read at once, twice the rows."""
        return 2 * self.rows

    @property
    def line_bytes(self) -> int:
        """Of a line of the scratchpad: a word of each bank."""
        return self.banks * self.k_per_cycle

    @property
    def column_words(self) -> int:
        """Channel words of a column of tiles."""
        return self.cols // self.k_per_cycle

    @property
    def slice_bytes(self) -> int:
        """Of a slice of weights in memory: whole beats, or a power of two of them in a beat."""
        return slice_bytes(self.cols * self.k_per_cycle, self.weight_bits, self.beat_bytes)

    def words(self, channels: int) -> int:
        """Channel words that so many channels take."""
        return -(-channels // self.k_per_cycle)

    def blocks(self, pixels: int) -> int:
        """Groups of ``banks`` pixels that so many pixels take."""
        return -(-pixels // self.banks)

    def in_beats(self, count: int) -> int:
        """Beats of so many bytes."""
        return -(-count // self.beat_bytes)

    # Lines in memory

    @property
    def pair_bits(self) -> int:
        """Of two neighbouring bytes of a line, if they are a stored pair in memory."""
        assert self.format is not None
        return self.format.stored_pair_bits

    @property
    def encoded_lines(self) -> int:
        """The fewest lines that are whole beats as stored pairs: a power of two."""
        beats = self.line_bytes // self.beat_bytes
        return 2 * ACTIVATION_BITS // gcd(2 * ACTIVATION_BITS, beats * self.pair_bits)

    def memory_bytes(self, lines: int, encoded: bool) -> int:
        """Of so many lines in memory; as stored pairs of a multiple of :attr:`encoded_lines`."""
        size = lines * self.line_bytes
        return size * self.pair_bits // (2 * ACTIVATION_BITS) if encoded else size

    # Streams

    @property
    def column_beats(self) -> int:
        """Of the parameters of a column of tiles."""
        return self.in_beats(self.cols * COLUMN_PARAMETERS.itemsize)

    def weight_beats(self, depth: int) -> int:
        """Of the weights of a column of tiles, ``depth`` slices."""
        return self.in_beats(depth * self.slice_bytes)

    def channel_bytes(self, weights: int) -> int:
        """Of the parameters and ``weights`` of one channel of the vector unit."""
        words = -(-weights * WEIGHT_DTYPE.itemsize // WORD_BYTES)
        return COLUMN_PARAMETERS.itemsize + words * WORD_BYTES

    def vector_beats(self, words: int, weights: int) -> int:
        """Of all channels of so many channel words."""
        return self.in_beats(words * self.k_per_cycle * self.channel_bytes(weights))


def pack_tensor(shape: AcceleratorShape, tensor: npt.ArrayLike) -> Bytes:
    """A tensor (H, W, C) of bytes as lines: uint8 (lines, banks, k_per_cycle).

    Pixel p, row after row, lies in bank p mod ``banks``; its channel word c in line
    ``p div banks * words + c``. What fills up the last word and the last block is 0.
    """
    values = np.asarray(tensor, np.uint8)
    height, width, channels = values.shape
    words, blocks = shape.words(channels), shape.blocks(height * width)
    filled = np.zeros((blocks * shape.banks, words * shape.k_per_cycle), np.uint8)
    filled[: height * width, :channels] = values.reshape(-1, channels)
    parts = filled.reshape(blocks, shape.banks, words, shape.k_per_cycle)
    return np.ascontiguousarray(parts.swapaxes(1, 2)).reshape(-1, shape.banks, shape.k_per_cycle)


def unpack_tensor(
    shape: AcceleratorShape, lines: npt.ArrayLike, size: tuple[int, int, int]
) -> Bytes:
    """The tensor of ``size`` (H, W, C) that :func:`pack_tensor` made ``lines`` of."""
    height, width, channels = size
    words, blocks = shape.words(channels), shape.blocks(height * width)
    parts = np.asarray(lines, np.uint8).reshape(blocks, words, shape.banks, shape.k_per_cycle)
    pixels = parts.swapaxes(1, 2).reshape(blocks * shape.banks, -1)
    return np.ascontiguousarray(pixels[: height * width, :channels].reshape(size))


def pack_weights(shape: AcceleratorShape, weights: npt.NDArray[np.int8]) -> Bytes:
    """Weights (K, cols) of a column of tiles as its slices: uint8, whole beats.

    K is a multiple of ``k_per_cycle``. Of a slice column 0 stands low, within a column the lower
    step.
    """
    slices = weights.reshape(-1, shape.k_per_cycle, shape.cols).swapaxes(1, 2)
    bits = np.unpackbits(
        np.ascontiguousarray(slices).view(np.uint8)[..., np.newaxis], axis=-1, bitorder="little"
    )[..., : shape.weight_bits]
    packed = np.packbits(bits.reshape(len(slices), -1), axis=-1, bitorder="little")
    result = np.zeros((len(slices), shape.slice_bytes), np.uint8)
    result[:, : packed.shape[1]] = packed
    return _in_beats(shape, result.reshape(-1))


def unpack_weights(shape: AcceleratorShape, data: Bytes, depth: int) -> npt.NDArray[np.int8]:
    """The weights (depth * k_per_cycle, cols) that :func:`pack_weights` made ``data`` of."""
    slices = data[: depth * shape.slice_bytes].reshape(depth, shape.slice_bytes)
    count = shape.cols * shape.k_per_cycle * shape.weight_bits
    bits = np.unpackbits(slices, axis=-1, bitorder="little")[:, :count]
    wide = np.repeat(
        bits.reshape(-1, shape.weight_bits),
        [1] * (shape.weight_bits - 1) + [ACTIVATION_BITS - shape.weight_bits + 1],
        axis=-1,
    )
    values = np.packbits(wide, axis=-1, bitorder="little").view(np.int8)
    ordered = values.reshape(depth, shape.cols, shape.k_per_cycle).swapaxes(1, 2)
    return np.ascontiguousarray(ordered).reshape(-1, shape.cols)


def pack_channels(
    shape: AcceleratorShape, parameters: npt.NDArray[np.void], weights: npt.NDArray[np.int16]
) -> Bytes:
    """The stream of a vector operation: uint8, whole beats.

    ``parameters`` :data:`COLUMN_PARAMETERS` (C,), ``weights`` (C, weights of a channel), C a
    multiple of ``k_per_cycle``.
    """
    count = weights.shape[1]
    result = np.zeros((len(parameters), shape.channel_bytes(count)), np.uint8)
    head = COLUMN_PARAMETERS.itemsize
    result[:, :head] = parameters.view(np.uint8).reshape(len(parameters), head)
    tail = np.ascontiguousarray(weights, WEIGHT_DTYPE).view(np.uint8)
    result[:, head : head + WEIGHT_DTYPE.itemsize * count] = tail
    return _in_beats(shape, result.reshape(-1))


def unpack_channels(
    shape: AcceleratorShape, data: Bytes, channels: int, weights: int
) -> tuple[npt.NDArray[np.void], npt.NDArray[np.int16]]:
    """The parameters and weights that :func:`pack_channels` made ``data`` of."""
    size, head = shape.channel_bytes(weights), COLUMN_PARAMETERS.itemsize
    rows = data[: channels * size].reshape(channels, size)
    parameters = np.ascontiguousarray(rows[:, :head]).view(COLUMN_PARAMETERS)[:, 0]
    tail = np.ascontiguousarray(rows[:, head : head + WEIGHT_DTYPE.itemsize * weights])
    return parameters, tail.view(WEIGHT_DTYPE)


def pack_columns(shape: AcceleratorShape, parameters: npt.NDArray[np.void]) -> Bytes:
    """:data:`COLUMN_PARAMETERS` (cols,) of a column of tiles as bytes, whole beats."""
    return _in_beats(shape, np.ascontiguousarray(parameters).view(np.uint8))


def unpack_columns(shape: AcceleratorShape, data: Bytes) -> npt.NDArray[np.void]:
    """What :func:`pack_columns` made ``data`` of."""
    return np.ascontiguousarray(data[: shape.cols * COLUMN_PARAMETERS.itemsize]).view(
        COLUMN_PARAMETERS
    )


def _in_beats(shape: AcceleratorShape, data: Bytes) -> Bytes:
    return np.pad(data, (0, -len(data) % shape.beat_bytes))
