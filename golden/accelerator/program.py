"""Programs of an accelerator: what each descriptor does.

A program is a list of :mod:`golden.descriptor` in memory. :meth:`Machine.run` is what hardware must
do.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from golden.accelerator.encoding import decode_lines, encode_lines
from golden.accelerator.shape import (
    SUM_BITS,
    AcceleratorShape,
    Bytes,
    unpack_channels,
    unpack_columns,
    unpack_weights,
)
from golden.byte_table import look_up
from golden.descriptor import (
    DESCRIPTOR_BYTES,
    MOST_SUM_WORDS,
    MOST_WEIGHTS,
    PATCHES,
    TABLE_BYTES,
    WAIT_COUNTS,
    Descriptor,
    Error,
    Opcode,
    decode,
)
from golden.format import ACTIVATION_BITS
from golden.matmul import exact_matmul, sparq_matmul
from golden.quantize import low_bits
from golden.requantize import MAX_SHIFT, MULTIPLIER_BITS, rescale

SHIFT_BITS = MAX_SHIFT.bit_length()


class Tile(NamedTuple):
    """Neighbouring pixels of the results that are computed together."""

    first: int
    row: int
    column: int
    pixels: int


def tiles(
    shape: AcceleratorShape,
    first_pixel: int,
    pixels: int,
    first_row: int,
    first_column: int,
    *,
    out_width: int,
    in_width: int,
    stride: tuple[int, int],
) -> Iterator[Tile]:
    """The tiles of results, in order.

    A tile takes pixels as long as there are some, at most ``rows``, and as the pixels of the input
    that they start from are less than ``banks`` from that of the first one.
    """
    pixel, row, column, left = first_pixel, first_row, first_column, pixels
    while left:
        count, offset, y, x = 0, 0, row, column
        while count < min(left, shape.rows) and 0 <= offset < shape.banks:
            count += 1
            x += 1
            offset += stride[1]
            if x == out_width:
                x, y = 0, y + 1
                offset += stride[0] * in_width - out_width * stride[1]
        yield Tile(pixel, row, column, count)
        pixel, row, column, left = pixel + count, y, x, left - count


def tiles_of(shape: AcceleratorShape, d: Descriptor) -> list[Tile]:
    """Those of all results of a descriptor; no more than one beyond ``tiles_m``."""
    every = tiles(
        *(shape, d.first_pixel, d.pixels, d.first_row, d.first_column),
        out_width=d.out_width,
        in_width=d.in_width,
        stride=(d.stride_y, d.stride_x),
    )
    return list(islice(every, d.tiles_m + 1))


def taps(d: Descriptor) -> Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]]:
    """Of each of a patch: its pixel of the tensor for all results, and whether it is inside."""
    first = d.first_row * d.out_width + d.first_column
    rows, columns = np.divmod(first + np.arange(d.pixels), d.out_width)
    for ky in range(d.kernel_height):
        for kx in range(d.kernel_width):
            y = rows * d.stride_y - d.pad_top + ky * d.dilation_y
            x = columns * d.stride_x - d.pad_left + kx * d.dilation_x
            inside = (y >= 0) & (y < d.in_height) & (x >= 0) & (x < d.in_width)
            yield y * d.in_width + x, inside


def weights_per_channel(d: Descriptor) -> int:
    """Of a vector operation: how many weights of each channel come with its parameters."""
    if d.opcode is Opcode.SUM:
        return 1 if d.uniform else d.kernel_height * d.kernel_width
    return 2 if d.opcode is Opcode.COMBINE else 0


def stream_beats(shape: AcceleratorShape, d: Descriptor) -> int:
    """Beats of the parameters and weights of a descriptor."""
    if d.opcode is Opcode.MATRIX:
        return d.tiles_n * (shape.column_beats + shape.weight_beats(d.depth))
    return shape.vector_beats(d.out_words, weights_per_channel(d))


@dataclass(frozen=True)
class Window:
    """A part of memory: where it starts, and its size, in bytes; both whole lines."""

    start: int
    size: int

    def holds(self, address: int, count: int) -> bool:
        """Whether so many bytes from ``address`` on, counted from its start, lie in it."""
        return address + count <= self.size


class Outcome(NamedTuple):
    """How a program ended: the error, and the descriptors that were done before."""

    error: Error
    done: int


class Machine:
    """An accelerator beside its memory.

    ``memory`` is uint8 (bytes,), and is changed where a program stores. Addresses of descriptors
    are relative to ``reads``, those of STORE to ``writes``.
    """

    def __init__(self, shape: AcceleratorShape, memory: Bytes, reads: Window, writes: Window):
        self.shape = shape
        self.memory = memory
        self.reads = reads
        self.writes = writes
        self.scratchpad = np.zeros((shape.lines, shape.banks, shape.k_per_cycle), np.uint8)
        self.table = np.arange(TABLE_BYTES, dtype=np.uint8)

    def run(self, program: int) -> Outcome:
        """Do the descriptors from the address ``program`` on, in order, until one ends or fails."""
        started = {"wait_loads": 0, "wait_stores": 0, "wait_computes": 0}
        done = 0
        while True:
            address = program + done * DESCRIPTOR_BYTES
            if not self.reads.holds(address, DESCRIPTOR_BYTES):
                return Outcome(Error.READ, done)
            descriptor = decode(
                self._read(address, DESCRIPTOR_BYTES).view("<u4"),
                self.shape.multiplies,
                self.shape.encodes,
            )
            if isinstance(descriptor, Error):
                return Outcome(descriptor, done)
            error = self._check(descriptor, started)
            if error:
                return Outcome(error, done)
            done += 1
            if descriptor.opcode is Opcode.END:
                return Outcome(Error.NONE, done)
            if self.has_other_tiles(descriptor):
                return Outcome(Error.TILES, done)
            self.do(descriptor)
            unit = {Opcode.LOAD: "wait_loads", Opcode.STORE: "wait_stores"}
            started[unit.get(descriptor.opcode, "wait_computes")] += 1

    def has_other_tiles(self, d: Descriptor) -> bool:
        """Whether the tiles that a MATRIX computes are not as many as it says."""
        return d.opcode is Opcode.MATRIX and d.tiles_m != len(tiles_of(self.shape, d))

    def do(self, descriptor: Descriptor) -> None:
        """Do what a descriptor says that was found right, and is no END."""
        match descriptor.opcode:
            case Opcode.LOAD:
                self._load(descriptor)
            case Opcode.STORE:
                self._store(descriptor)
            case Opcode.TABLE:
                self.table = self._read(descriptor.address, TABLE_BYTES).copy()
            case Opcode.MATRIX:
                self._matrix(descriptor)
            case _:
                self._vector(descriptor)

    def _check(self, d: Descriptor, started: Mapping[str, int]) -> Error:
        shape = self.shape
        for name, count in started.items():
            if (count - getattr(d, name)) % WAIT_COUNTS >= WAIT_COUNTS // 2:
                return Error.WAIT
        if d.opcode in (Opcode.LOAD, Opcode.STORE):
            window, error = (
                (self.reads, Error.READ) if d.opcode is Opcode.LOAD else (self.writes, Error.WRITE)
            )
            unit = shape.beat_bytes if d.encoded else shape.line_bytes
            if not 1 <= d.lines <= shape.lines or d.address % unit:
                return Error.FIELD
            if d.encoded and d.lines % shape.encoded_lines:
                return Error.FIELD
            held = window.holds(d.address, shape.memory_bytes(d.lines, bool(d.encoded)))
            return Error.NONE if held else error
        if d.opcode is Opcode.TABLE:
            if d.address % shape.beat_bytes:
                return Error.FIELD
            return Error.NONE if self.reads.holds(d.address, TABLE_BYTES) else Error.READ
        if d.opcode in PATCHES:
            return self._check_patches(d)
        return Error.NONE

    def _check_patches(self, d: Descriptor) -> Error:
        shape = self.shape
        sizes = (
            *(d.in_words, d.in_height, d.in_width, d.kernel_height, d.kernel_width),
            *(d.stride_y, d.stride_x, d.dilation_y, d.dilation_x),
            *(d.out_words, d.out_width, d.tiles_m, d.pixels),
        )
        if not all(sizes) or d.first_column >= d.out_width or d.address % shape.beat_bytes:
            return Error.FIELD
        if d.sums and d.out_words > MOST_SUM_WORDS:
            return Error.FIELD
        taps = d.kernel_height * d.kernel_width
        if d.opcode is Opcode.MATRIX:
            fits = d.depth == taps * d.in_words and d.depth <= shape.weight_depth
            fits = fits and d.tiles_n == -(-d.out_words // shape.column_words)
        elif d.opcode in (Opcode.COMBINE, Opcode.PRODUCT):
            fits = taps == 1
        else:
            fits = weights_per_channel(d) <= MOST_WEIGHTS
        if not fits or d.beats != stream_beats(shape, d):
            return Error.FIELD
        held = self.reads.holds(d.address, d.beats * shape.beat_bytes)
        return Error.NONE if held else Error.READ

    def _read(self, address: int, count: int) -> Bytes:
        start = self.reads.start + address
        return self.memory[start : start + count]

    def _lines(self, d: Descriptor) -> npt.NDArray[np.int64]:
        return (d.line + np.arange(d.lines)) % self.shape.lines

    def _load(self, d: Descriptor) -> None:
        data = self._read(d.address, self.shape.memory_bytes(d.lines, bool(d.encoded)))
        if d.encoded:
            data = decode_lines(self.shape, data)
        self.scratchpad[self._lines(d)] = data.reshape(d.lines, *self.scratchpad.shape[1:])

    def _store(self, d: Descriptor) -> None:
        start = self.writes.start + d.address
        data = self.scratchpad[self._lines(d)].reshape(-1)
        if d.encoded:
            data = encode_lines(self.shape, data)
        self.memory[start : start + len(data)] = data

    def _words(
        self, line: int, pitch: int, words: npt.ArrayLike, pixels: npt.NDArray[np.int64]
    ) -> Bytes:
        """Channel words of pixels: uint8 (pixels, words, k_per_cycle)."""
        blocks, banks = np.divmod(pixels, self.shape.banks)
        lines = (line + blocks[:, np.newaxis] * pitch + np.asarray(words)) % self.shape.lines
        values: Bytes = self.scratchpad[lines, banks[:, np.newaxis]]
        return values

    def _write(self, d: Descriptor, first_word: int, values: Bytes) -> None:
        """Write ``values`` (pixels, bytes) as the channel words from ``first_word`` on."""
        if d.table and not d.sums:
            values = look_up(self.table, values)
        steps = self.shape.k_per_cycle
        words = values.reshape(len(values), -1, steps)
        count = max(0, min(words.shape[1], d.out_words * (4 if d.sums else 1) - first_word))
        blocks, banks = np.divmod(d.first_pixel + np.arange(len(values)), self.shape.banks)
        lines = d.out_line + blocks[:, np.newaxis] * d.out_pitch + first_word + np.arange(count)
        self.scratchpad[lines % self.shape.lines, banks[:, np.newaxis]] = words[:, :count]

    def _patches(self, d: Descriptor) -> Bytes:
        """All patches: uint8 (pixels, kernel positions, words, k_per_cycle)."""
        words = np.arange(d.in_words if d.opcode is Opcode.MATRIX else d.out_words)
        parts = []
        for pixels, inside in taps(d):
            values = self._words(d.in_line, d.in_pitch, words, pixels)
            parts.append(np.where(inside[:, np.newaxis, np.newaxis], values, np.uint8(d.pad_byte)))
        return np.stack(parts, axis=1)

    def _matrix(self, d: Descriptor) -> None:
        shape = self.shape
        patches = self._patches(d)
        x = patches.reshape(len(patches), -1)
        address = d.address
        for tile_n in range(d.tiles_n):
            size = shape.column_beats * shape.beat_bytes
            parameters = unpack_columns(shape, self._read(address, size))
            address += size
            size = shape.weight_beats(d.depth) * shape.beat_bytes
            weights = unpack_weights(shape, self._read(address, size), d.depth)
            address += size
            sums = _wrapped(self._products(d, x, weights), shape.acc_bits)
            first = tile_n * shape.column_words * (4 if d.sums else 1)
            self._write(d, first, _finish(sums, parameters, bool(d.sums)))

    def _products(
        self, d: Descriptor, x: Bytes, weights: npt.NDArray[np.int8]
    ) -> npt.NDArray[np.int32]:
        """Sums (pixels, cols), less those of the zero point where the machine subtracts it."""
        shape = self.shape
        fmt, bits = shape.format, shape.weight_bits
        if fmt is not None and fmt.signed:
            signed = x.astype(np.int16) - np.int16(d.zero_point)
            if d.exact:
                return exact_matmul(signed, weights, bits, signed=True)
            return sparq_matmul(signed, weights, fmt, bits)
        if fmt is not None and not d.exact:
            return sparq_matmul(x, weights, fmt, bits)
        if shape.activation_bits < ACTIVATION_BITS:
            x = low_bits(x, shape.activation_bits)
        return exact_matmul(x, weights, bits)

    def _vector(self, d: Descriptor) -> None:
        shape = self.shape
        count = weights_per_channel(d)
        stream = self._read(d.address, d.beats * shape.beat_bytes)
        parameters, weights = unpack_channels(shape, stream, d.out_words * shape.k_per_cycle, count)
        if not shape.multiplies:
            weights = weights & 1
        patches = self._patches(d).astype(np.int64)
        values = patches.reshape(*patches.shape[:2], -1)
        match d.opcode:
            case Opcode.MAX:
                sums = values.max(axis=1)
            case Opcode.SUM:
                sums = (values * weights.T.astype(np.int64)).sum(axis=1)
            case _:
                x, y = values[:, 0], self._other(d)
                if d.opcode is Opcode.PRODUCT:
                    sums = (x - d.zero_point) * (y - d.other_zero_point)
                else:
                    sums = x * weights[:, 0] + y * weights[:, 1]
        self._write(d, 0, _finish(sums, parameters, bool(d.sums)))

    def _other(self, d: Descriptor) -> npt.NDArray[np.int64]:
        """Of the second tensor: outside of the first one it is ``pad_byte``, too."""
        pixels, inside = next(taps(d))
        if d.broadcast:
            pixels = np.zeros_like(pixels)
        words = self._words(d.other_line, d.other_pitch, np.arange(d.out_words), pixels)
        values = np.where(inside[:, np.newaxis, np.newaxis], words, np.uint8(d.pad_byte))
        return values.reshape(len(values), -1).astype(np.int64)


def _wrapped(sums: npt.NDArray[np.int32], bits: int) -> npt.NDArray[np.int32]:
    """``sums`` as accumulators of so many bits hold them: their low bits, with a sign."""
    spare = np.int32(SUM_BITS - bits)
    return sums << spare >> spare


def _finish(
    sums: npt.NDArray[np.int32 | np.int64], parameters: npt.NDArray[np.void], as_sums: bool
) -> Bytes:
    """Sums (pixels, channels), which wrap as int32, as bytes, or as the four bytes of each."""
    biased = (sums + parameters["bias"].astype(np.int64)).astype(np.int32)
    if as_sums:
        return np.ascontiguousarray(biased, "<i4").view(np.uint8)
    multiplier = parameters["multiplier"] & ((1 << MULTIPLIER_BITS) - 1)
    # A shift that is larger, or a low limit above the high one, leaves its channel unspecified.
    shift = np.minimum(parameters["shift"] & ((1 << SHIFT_BITS) - 1), MAX_SHIFT)
    scaled = rescale(biased, multiplier, shift) + parameters["zero_point"]
    clipped: Bytes = np.clip(scaled, parameters["low"], parameters["high"]).astype(np.uint8)
    return clipped


def unpack_sums(values: Bytes, channels: int) -> npt.NDArray[np.int32]:
    """Results that are sums: int32 (..., channels) of their bytes (..., four of each channel)."""
    return np.ascontiguousarray(values[..., : 4 * channels]).view("<i4")
