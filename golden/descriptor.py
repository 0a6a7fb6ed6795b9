"""Descriptors of an accelerator's programs: what there are, and where their fields stand.

The one definition: the compiler encodes by it, and hardware decodes by it. What each of them does
is :mod:`golden.accelerator.program`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from golden.format import ACTIVATION_BITS

DESCRIPTOR_WORDS = 16
DESCRIPTOR_BYTES = 4 * DESCRIPTOR_WORDS
TABLE_BYTES = 1 << ACTIVATION_BITS
"""Of what a TABLE loads: a byte for each byte."""
MOST_WEIGHTS = 256
"""Of a channel on the vector unit."""
MOST_SUM_WORDS = (1 << 14) - 1
"""Channel words of a pixel whose results are int32, four words of bytes each."""
WAIT_COUNTS = 256
"""Counts of finished descriptors that are waited for are modulo this: what a descriptor waits for
is at most 127 behind what was started before it, also where it depends on none of that."""


class Opcode(IntEnum):
    """What a descriptor does. 0 is none, so that empty memory is no program."""

    END = 1
    """When all before has ended, so has the program."""
    LOAD = 2
    """Lines from memory into the scratchpad."""
    STORE = 3
    """Lines from the scratchpad into memory."""
    TABLE = 4
    """The table of bytes, from memory."""
    MATRIX = 5
    """A convolution, or a product with weights, by the machine."""
    SUM = 6
    """Weighted sums of each channel under a patch."""
    COMBINE = 7
    """The weighted sum of two tensors."""
    PRODUCT = 8
    """The product of two tensors."""
    MAX = 9
    """The largest of each channel under a patch."""


COMPUTE = (Opcode.TABLE, Opcode.MATRIX, Opcode.SUM, Opcode.COMBINE, Opcode.PRODUCT, Opcode.MAX)
"""What the computing unit does, one after the other."""
VECTOR = (Opcode.SUM, Opcode.COMBINE, Opcode.PRODUCT, Opcode.MAX)
MULTIPLYING = (Opcode.COMBINE, Opcode.PRODUCT)
"""What there is no descriptor of where the vector unit has no multipliers."""
PATCHES = (Opcode.MATRIX, *VECTOR)
"""What reads a tensor by patches and writes one."""


class Place(NamedTuple):
    """Where a field stands: its word, its lowest bit, its bits; and what it is."""

    word: int
    low_bit: int
    bits: int
    description: str

    @property
    def largest(self) -> int:
        """The largest value."""
        return (1 << self.bits) - 1


_COMMON = {
    "opcode": Place(0, 0, 8, "What the descriptor does"),
    "wait_loads": Place(0, 8, 8, "LOADs that must have ended, modulo 256"),
    "wait_stores": Place(0, 16, 8, "STOREs that must have ended, modulo 256"),
    "wait_computes": Place(0, 24, 8, "Computing descriptors that must have ended, modulo 256"),
}
_MOVE = {
    "address": Place(1, 0, 32, "In memory, bytes from the start of the window"),
    "line": Place(2, 0, 16, "In the scratchpad"),
    "lines": Place(2, 16, 16, "How many"),
    "encoded": Place(3, 0, 1, "In memory they are stored pairs"),
}
_PATCHES = {
    "address": Place(1, 0, 32, "Of the stream of parameters and weights, from the window's start"),
    "beats": Place(2, 0, 24, "Of that stream"),
    "exact": Place(2, 24, 1, "Products of whole bytes, in planes"),
    "sums": Place(2, 25, 1, "Results are int32"),
    "table": Place(2, 26, 1, "Results are looked up in the table"),
    "uniform": Place(2, 27, 1, "A channel has one weight for all of its patch"),
    "broadcast": Place(2, 28, 1, "The second tensor is one pixel for all"),
    "in_line": Place(3, 0, 16, "Of the first channel word of pixel 0"),
    "in_pitch": Place(3, 16, 16, "Lines from a block of pixels to the next"),
    "in_words": Place(4, 0, 16, "Channel words that are read of a pixel"),
    "pad_byte": Place(4, 16, 8, "What stands outside the tensor"),
    "zero_point": Place(4, 24, 8, "The byte that stands for 0"),
    "in_height": Place(5, 0, 15, "Rows of the tensor"),
    "in_width": Place(5, 16, 15, "Columns of the tensor"),
    "kernel_height": Place(6, 0, 8, "Rows of a patch"),
    "kernel_width": Place(6, 8, 8, "Columns of a patch"),
    "stride_y": Place(6, 16, 4, "Rows from a patch to that below"),
    "stride_x": Place(6, 20, 4, "Columns from a patch to the next"),
    "dilation_y": Place(6, 24, 4, "Rows from one of a patch to the next"),
    "dilation_x": Place(6, 28, 4, "Columns from one of a patch to the next"),
    "pad_top": Place(7, 0, 8, "Rows above the tensor"),
    "pad_left": Place(7, 8, 8, "Columns before the tensor"),
    "depth": Place(7, 16, 16, "Slices of a patch"),
    "out_line": Place(8, 0, 16, "Of the first channel word of the results of pixel 0"),
    "out_pitch": Place(8, 16, 16, "Lines from a block of pixels to the next"),
    "out_words": Place(9, 0, 16, "Channel words of results; those beyond are not written"),
    "tiles_n": Place(9, 16, 16, "Columns of tiles"),
    "out_width": Place(10, 0, 15, "Columns of the results"),
    "tiles_m": Place(10, 16, 16, "Tiles of a column of tiles, of a MATRIX"),
    "first_pixel": Place(11, 0, 24, "Of the results, row after row"),
    "pixels": Place(12, 0, 24, "Results from there on"),
    "first_row": Place(13, 0, 15, "Of the first pixel"),
    "first_column": Place(13, 16, 15, "Of the first pixel"),
    "other_line": Place(14, 0, 16, "Of the second tensor"),
    "other_pitch": Place(14, 16, 16, "Of the second tensor"),
    "other_zero_point": Place(15, 0, 8, "The byte that stands for 0 in the second tensor"),
}
LAYOUT: Mapping[Opcode, Mapping[str, Place]] = {
    opcode: _COMMON
    | (
        _PATCHES
        if opcode in PATCHES
        else {}
        if opcode is Opcode.END
        else {"address": _MOVE["address"]}
        if opcode is Opcode.TABLE
        else _MOVE
    )
    for opcode in Opcode
}
"""Of each descriptor its fields; bits that are in none are 0."""


def slice_bytes(weights: int, weight_bits: int, beat_bytes: int) -> int:
    """Of a slice of so many weights in the stream of a MATRIX: whole beats, or a power of two of
    bytes that is less than one.
    """
    count = -(-weights * weight_bits // 8)
    if count >= beat_bytes:
        return -(-count // beat_bytes) * beat_bytes
    return 1 << (count - 1).bit_length()


class Error(IntEnum):
    """Why a program stopped."""

    NONE = 0
    OPCODE = 1
    """There is no such descriptor."""
    FIELD = 2
    """A size is 0, lines are more than the scratchpad has, or as stored pairs no whole beats, the
    first column is beyond the last one,
    a depth is not that of its patch or is more than the machine holds, columns of tiles are not as
    many as results need, results that are int32 have more than 16,383 channel words, a stream is
    not as long as its parameters and weights, or bits that are in no field are set."""
    WAIT = 3
    """It waits for more than was started before it."""
    READ = 4
    """It would read outside the window."""
    WRITE = 5
    """It would write outside the window."""
    BUS = 6
    """The memory answered with an error."""
    TIMEOUT = 7
    """Nothing moved for as many cycles as the watchdog allows."""
    TILES = 8
    """The tiles of a MATRIX are not as many as it says. Hardware finds this while it computes them:
    what does not wait for that may have been started, too, and lines of results may be written."""


@dataclass(frozen=True)
class Descriptor:
    """An opcode, and its fields; those that are not named are 0.

    Raises ``ValueError``, one line, for a field that it has not, or a value that does not fit.
    """

    opcode: Opcode
    values: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        layout = LAYOUT[self.opcode]
        for name, value in self.values.items():
            if name not in layout or name == "opcode":
                raise ValueError(f"{self.opcode.name} has no field {name!r}")
            if not 0 <= value <= layout[name].largest:
                raise ValueError(
                    f"{name} of {self.opcode.name} must be an integer from 0 to "
                    f"{layout[name].largest}, not {value}"
                )

    def __getattr__(self, name: str) -> int:
        if name not in LAYOUT[self.opcode]:
            raise AttributeError(name)
        return self.values.get(name, 0)

    def words(self) -> npt.NDArray[np.uint32]:
        """As it lies in memory: uint32 (16,), little-endian."""
        words = [0] * DESCRIPTOR_WORDS
        for name, place in LAYOUT[self.opcode].items():
            value = int(self.opcode) if name == "opcode" else self.values.get(name, 0)
            words[place.word] |= value << place.low_bit
        return np.array(words, "<u4")


def opcodes(multiplies: bool) -> tuple[Opcode, ...]:
    """What descriptors there are, with multipliers in the vector unit or without."""
    return tuple(each for each in Opcode if multiplies or each not in MULTIPLYING)


def layout(opcode: Opcode, encodes: bool) -> Mapping[str, Place]:
    """The fields of a descriptor, where LOADs and STOREs can move stored pairs or not."""
    return {name: LAYOUT[opcode][name] for name in LAYOUT[opcode] if encodes or name != "encoded"}


def decode(
    words: npt.NDArray[np.uint32], multiplies: bool = True, encodes: bool = False
) -> Descriptor | Error:
    """The descriptor of 16 words; or what is wrong with it, on such a machine."""
    opcode = int(words[0]) & 0xFF
    if opcode not in opcodes(multiplies):
        return Error.OPCODE
    values = {
        name: int(words[place.word]) >> place.low_bit & place.largest
        for name, place in layout(Opcode(opcode), encodes).items()
        if name != "opcode"
    }
    descriptor = Descriptor(Opcode(opcode), values)
    return descriptor if np.array_equal(descriptor.words(), words) else Error.FIELD
