"""Tensors in banks, and the patches of a layer, in plain loops."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from amaranth.hdl import Const
from amaranth.lib import data

from hdl.accelerator.layouts import PATCHES, PIXEL_BITS, PLACE

Bytes = npt.NDArray[np.uint8]


def pack_fields(layout: data.Layout, values: Any) -> int:
    """A structure as a number."""
    word = Const.cast(layout.const(values))
    assert isinstance(word, Const)
    return word.value


@dataclass(frozen=True)
class Patches:
    """The fields of :data:`PATCHES`."""

    height: int = 1
    width: int = 1
    pixels: int = 1
    out_width: int = 1
    first_column: int = 0
    top: int = 0
    left: int = 0
    first_pixel: int = 0
    kernel_h: int = 1
    kernel_w: int = 1
    stride_y: int = 1
    stride_x: int = 1
    dilation_y: int = 1
    dilation_x: int = 1
    passes: int = 1
    words: int = 1
    by_matrix: int = 0
    two_operands: int = 0
    broadcast: int = 0
    base: int = 0
    pitch: int = 1
    base_b: int = 0
    pitch_b: int = 1
    pad_byte: int = 0

    @classmethod
    def of(
        cls,
        size: Sequence[int],
        pixels: int,
        out_width: int,
        start: Sequence[int] = (0, 0),
        kernel: Sequence[int] = (1, 1),
        stride: Sequence[int] = (1, 1),
        dilation: Sequence[int] = (1, 1),
        **more: int,
    ) -> "Patches":
        """By both axes: the input's size, where the first patch of a row begins, and so on."""
        return cls(
            height=size[0],
            width=size[1],
            pixels=pixels,
            out_width=out_width,
            top=start[0],
            left=start[1],
            kernel_h=kernel[0],
            kernel_w=kernel[1],
            stride_y=stride[0],
            stride_x=stride[1],
            dilation_y=dilation[0],
            dilation_x=dilation[1],
            **more,
        )

    @property
    def word(self) -> int:
        """As the hardware takes them."""
        skipped = self.first_column * self.stride_x
        return pack_fields(PATCHES, {**asdict(self), "skipped": skipped})


class Lane(NamedTuple):
    """An output pixel: its number, and where the first tap of its patch is."""

    pixel: int
    row: int
    column: int


class Tile(NamedTuple):
    """Output pixels that are computed together, and whether they are the last ones of a pass."""

    number: int
    """Of the pass."""
    lanes: list[Lane]
    ends_pass: bool


def tiles(own: Patches, rows: int) -> Iterator[Tile]:
    """All tiles of a layer on a machine of so many rows."""

    def lane(index: int) -> Lane:
        y, x = divmod(own.first_column + index, own.out_width)
        row, column = own.top + y * own.stride_y, own.left + x * own.stride_x
        return Lane((own.first_pixel + index) % (1 << PIXEL_BITS), row, column)

    for number in range(own.passes):
        start = 0
        while start < own.pixels:
            lanes = [lane(start)]
            first = lanes[0].row * own.width + lanes[0].column
            while len(lanes) < min(rows, own.pixels - start):
                following = lane(start + len(lanes))
                if not 0 <= following.row * own.width + following.column - first < 2 * rows:
                    break
                lanes.append(following)
            start += len(lanes)
            yield Tile(number, lanes, start == own.pixels)


def walk_cycles(tile: Tile, own: Patches, rows: int) -> int:
    """Cycles in which the lanes of a tile are computed."""
    ends = [(lane.column - own.left) // own.stride_x == own.out_width - 1 for lane in tile.lanes]
    is_full = len(tile.lanes) == rows or tile.ends_pass
    return 1 + sum(ends[:-1]) + (ends[-1] and not is_full)


def slice_cycles(own: Patches, rows: int) -> Iterator[int]:
    """When each slice is offered if nothing stalls, in cycles since the patches were."""
    words = own.words if own.by_matrix else 1 + own.two_operands
    count = own.kernel_h * own.kernel_w * words
    first, before = 8, 0
    for tile in tiles(own, rows):
        first += max(walk_cycles(tile, own, rows), before)
        yield from range(first, first + count)
        before = count


class Slice(NamedTuple):
    """Bytes (rows, steps), and the marks."""

    data: Bytes
    operand_b: int
    ends_tile: int
    ends_pass: int
    ends_walk: int


@dataclass(frozen=True)
class Stored:
    """A tensor (height, width, channel words, steps) as it lies in banks (banks, lines, steps).

    Of any size: its lines wrap.
    """

    banks: Bytes
    width: int
    base: int
    pitch: int

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the banks: the last axis is the tensor's."""
        return self.banks.shape

    def __getitem__(self, place: Any) -> Bytes:
        """The bytes of a row, a column and a channel word."""
        row, column, word = place
        block, bank = divmod(row * self.width + column, len(self.banks))
        line = self.base + block * self.pitch + word
        own: Bytes = self.banks[bank, line % self.banks.shape[1]]
        return own


def slices(
    own: Patches, rows: int, a: Bytes | Stored, b: Bytes | Stored | None = None
) -> Iterator[Slice]:
    """All slices of a layer; the operands are (height, width, channel words, steps)."""
    of_tap = own.words if own.by_matrix else 1 + own.two_operands
    count = own.kernel_h * own.kernel_w * of_tap
    for tile in tiles(own, rows):
        words = range(own.words) if own.by_matrix else [tile.number]
        taps = (
            (ky * own.dilation_y, kx * own.dilation_x, word, is_b)
            for ky in range(own.kernel_h)
            for kx in range(own.kernel_w)
            for word in words
            for is_b in range(1 + own.two_operands)
        )
        for place, (y, x, word, is_b) in enumerate(taps, 1):
            operand = b if is_b and b is not None else a
            values = np.zeros((rows, a.shape[-1]), np.uint8)
            for lane, (_, row, column) in enumerate(tile.lanes):
                if not (0 <= row + y < own.height and 0 <= column + x < own.width):
                    values[lane] = own.pad_byte
                elif is_b and own.broadcast:
                    values[lane] = operand[0, 0, word]
                else:
                    values[lane] = operand[row + y, column + x, word]
            ends_tile = place == count
            ends_pass = ends_tile and tile.ends_pass
            ends_walk = ends_pass and tile.number == own.passes - 1
            yield Slice(values, is_b, int(ends_tile), int(ends_pass), int(ends_walk))


class Placed(NamedTuple):
    """Bytes (pixels, steps), and the fields of :data:`PLACE`."""

    pixel: int
    lanes: int
    channel: int
    last: int
    data: Bytes

    @property
    def place(self) -> int:
        """As the hardware gives it."""
        return pack_fields(PLACE, dict(zip(dict(PLACE), self, strict=False)))


def number(values: Bytes) -> int:
    """As a number, the first byte low."""
    return int.from_bytes(values.tobytes(), "little")


def store(banks: Bytes, tensor: Bytes, base: int, pitch: int, channel: int = 0) -> None:
    """Put pixels (..., channel words, steps) into banks (banks, lines, steps)."""
    count, lines, _ = banks.shape
    pixels = tensor.reshape(-1, *tensor.shape[-2:])
    for pixel, words in enumerate(pixels):
        for word, values in enumerate(words, channel):
            line = base + pixel // count * pitch + word
            banks[pixel % count, line % lines] = values
