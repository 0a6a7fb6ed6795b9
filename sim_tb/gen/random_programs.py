"""Random programs of an accelerator, what memory they stand in, and whether each has one result."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from golden.accelerator.encoding import encode_lines, holds_pairs
from golden.accelerator.program import (
    SHIFT_BITS,
    Machine,
    Outcome,
    Window,
    tiles,
    weights_per_channel,
)
from golden.accelerator.program_order import Footprints, touched, unit_of, unordered, wait_fields
from golden.accelerator.shape import (
    COLUMN_PARAMETERS,
    AcceleratorShape,
    Bytes,
    pack_channels,
    pack_columns,
    pack_weights,
    unpack_channels,
    unpack_columns,
)
from golden.descriptor import (
    DESCRIPTOR_BYTES,
    PATCHES,
    TABLE_BYTES,
    VECTOR,
    Descriptor,
    Error,
    Opcode,
    opcodes,
)
from golden.requantize import MAX_SHIFT

PROGRAM_BYTES = 1 << 12
"""In front of what programs read."""
STREAM_BYTES = 1 << 15
MARGIN_LINES = 4
"""Before and behind the windows."""
MOST_WORK = 1 << 17
"""Bytes that a descriptor multiplies or moves, as far as it is compared."""


@dataclass(frozen=True)
class Image:
    """Memory with a program at the start of the window that is read; where it stores."""

    shape: AcceleratorShape
    descriptors: tuple[Descriptor, ...]
    memory: Bytes
    reads: Window
    writes: Window

    def machine(self, before: Machine | None = None) -> Machine:
        """An interpreter beside a copy of this memory; as ``before``, which ran a program, is."""
        machine = Machine(self.shape, self.memory.copy(), self.reads, self.writes)
        if before is not None:
            machine.scratchpad = before.scratchpad.copy()
            machine.table = before.table.copy()
        return machine

    def damaged(self, rng: np.random.Generator) -> "Image":
        """With some bits of descriptors, and sometimes of all that they read, the other way."""
        memory = self.memory.copy()
        for _ in range(int(rng.geometric(0.6))):
            count = len(self.descriptors) * DESCRIPTOR_BYTES
            if rng.integers(8) == 0:
                count = self.reads.size
            place = self.reads.start + int(rng.integers(count))
            memory[place] ^= np.uint8(1 << rng.integers(8))
        return Image(self.shape, self.descriptors, memory, self.reads, self.writes)


class _Recorder(Machine):
    """Finds out which descriptors of a program are right, and does the quick ones."""

    def __init__(self, image: Image):
        super().__init__(image.shape, image.memory.copy(), image.reads, image.writes)
        self.descriptors: list[Descriptor] = []

    def do(self, descriptor: Descriptor) -> None:
        self.descriptors.append(descriptor)


class Prospect(NamedTuple):
    """What is known of a program that has not run: how it ends; whether that does not take long;
    and whether it leaves the same memory, whatever is done first.
    """

    outcome: Outcome
    is_short: bool
    is_defined: bool


def prospect(image: Image) -> Prospect:
    """Of the program in ``image``."""
    recorder = _Recorder(image)
    outcome = recorder.run(0)
    descriptors = recorder.descriptors
    if any(_work(image.shape, each) > MOST_WORK for each in descriptors):
        return Prospect(outcome, False, False)
    is_defined = (
        outcome.error is not Error.TILES
        and all(_is_consistent(image.shape, each) for each in descriptors)
        and all(_are_parameters_right(image, each) for each in descriptors)
        and all(_are_pairs(image, descriptors, place) for place in range(len(descriptors)))
        and unordered(image.shape, descriptors, image.reads, image.writes) is None
    )
    return Prospect(outcome, True, is_defined)


def _work(shape: AcceleratorShape, d: Descriptor) -> int:
    """About how many bytes a descriptor moves or multiplies."""
    if d.opcode is Opcode.TABLE:
        return TABLE_BYTES
    if d.opcode not in PATCHES:
        return d.lines * shape.line_bytes
    words = d.in_words * d.tiles_n if d.opcode is Opcode.MATRIX else d.out_words
    return d.pixels * d.kernel_height * d.kernel_width * words


def _is_consistent(shape: AcceleratorShape, d: Descriptor) -> bool:
    """Whether no tap is too far away for hardware to count rows and columns, and nothing is written
    that is read, or written twice.
    """
    if d.opcode not in PATCHES:
        return True
    last_row = d.first_row + (d.first_column + d.pixels) // d.out_width
    below = last_row * d.stride_y + (d.kernel_height - 1) * d.dilation_y
    right = d.out_width * d.stride_x + (d.kernel_width - 1) * d.dilation_x
    if max(below, right) >= 1 << 15:
        return False
    what = touched(shape, d, Window(0, 1 << 32), Window(0, 1 << 32))
    blocks = (d.first_pixel + d.pixels - 1) // shape.banks - d.first_pixel // shape.banks + 1
    written = blocks * d.out_words * (4 if d.sums else 1)
    return len(what.writes) == written and not len(np.intersect1d(what.reads, what.writes))


def _are_parameters_right(image: Image, d: Descriptor) -> bool:
    """Whether each channel has a shift and limits that mean something."""
    shape = image.shape
    if d.opcode not in PATCHES or d.sums:
        return True
    start = image.reads.start + d.address
    stream = image.memory[start : start + d.beats * shape.beat_bytes]
    if d.opcode is Opcode.MATRIX:
        columns = np.split(stream, d.tiles_n)
        parameters = np.concatenate([unpack_columns(shape, each) for each in columns])
    else:
        channels = d.out_words * shape.k_per_cycle
        parameters, _ = unpack_channels(shape, stream, channels, weights_per_channel(d))
    shifts = parameters["shift"] & ((1 << SHIFT_BITS) - 1)
    return bool((shifts <= MAX_SHIFT).all() and (parameters["low"] <= parameters["high"]).all())


def _are_pairs(image: Image, descriptors: Sequence[Descriptor], place: int) -> bool:
    """Whether what a LOAD takes for stored pairs is known to be some: nothing writes there, or the
    descriptor before it has stored them.
    """
    d, shape = descriptors[place], image.shape
    if d.opcode is not Opcode.LOAD or not d.encoded:
        return True
    start = image.reads.start + d.address
    end = start + shape.memory_bytes(d.lines, True)
    before = descriptors[place - 1]
    if before.opcode is Opcode.STORE and before.encoded and before.lines == d.lines:
        return image.writes.start + before.address == start
    return end <= image.writes.start and holds_pairs(shape, image.memory[start:end])


def _tiles(shape: AcceleratorShape, fields: Mapping[str, int]) -> Any:
    get = dict.fromkeys(("first_pixel", "first_row", "first_column"), 0) | dict(fields)
    return tiles(
        *(shape, get["first_pixel"], get["pixels"], get["first_row"], get["first_column"]),
        out_width=get["out_width"],
        in_width=get["in_width"],
        stride=(get["stride_y"], get["stride_x"]),
    )


class RandomProgram:
    """Draws a program of some operations; ``image`` is it with its memory.

    It begins with lines for all of the scratchpad and a table, unless it ``goes_on``, and ends with
    all lines stored: so all that it does is seen.
    """

    def __init__(
        self,
        shape: AcceleratorShape,
        rng: np.random.Generator,
        operations: int,
        goes_on: bool = False,
    ):
        self.shape, self.rng = shape, rng
        self._reads_start = MARGIN_LINES * shape.line_bytes
        self._tensors = PROGRAM_BYTES
        self._pairs = self._tensors + 2 * shape.lines * shape.line_bytes
        self._tables = self._pairs + 2 * shape.lines * shape.line_bytes * shape.encodes
        self._streams = self._tables + 4 * TABLE_BYTES
        self._end = self._streams + STREAM_BYTES
        start = self._reads_start + self._end
        count = 2 * shape.lines * shape.line_bytes
        # What was stored can be loaded.
        self.reads = Window(self._reads_start, self._end + count)
        self.writes = Window(start, count)
        self.memory = rng.integers(0, 256, start + count + self._reads_start, np.uint8)
        if shape.encodes:
            place = self._reads_start + self._pairs
            size = 2 * shape.lines * shape.line_bytes
            pairs = encode_lines(shape, self.memory[place : place + size])
            self.memory[place : place + len(pairs)] = pairs
        self.descriptors: list[Descriptor] = []
        self._footprints = Footprints()
        self._last: dict[str, int] = {}
        if not goes_on:
            self._add(Opcode.LOAD, address=self._tensors, lines=shape.lines)
            self._add(Opcode.TABLE, address=self._tables)
        for _ in range(operations):
            self._draw()
        self._add(Opcode.STORE, lines=shape.lines)
        self._add(Opcode.END)

    @property
    def image(self) -> Image:
        """The program in memory."""
        memory = self.memory.copy()
        words = np.concatenate([each.words() for each in self.descriptors]).view(np.uint8)
        assert len(words) <= PROGRAM_BYTES
        memory[self._reads_start : self._reads_start + len(words)] = words
        descriptors = tuple(self.descriptors)
        return Image(self.shape, descriptors, memory, self.reads, self.writes)

    def _add(self, opcode: Opcode, **values: int) -> None:
        """A descriptor that waits for what it must, and sometimes for more."""
        unit = unit_of(opcode)
        waits: dict[str, int] = {}
        if unit is not None:
            what = touched(self.shape, Descriptor(opcode, values), self.reads, self.writes)
            needed = self._footprints.needed(unit, what)
            started = self._footprints.started
            counts = [max(each) for each in zip(*needed.values(), strict=True)]
            if self.rng.integers(4) == 0:
                pairs = zip(counts, started, strict=True)
                counts = [int(self.rng.integers(least, most + 1)) for least, most in pairs]
            waits = wait_fields(started, counts)
            self._footprints.note(unit, what)
        self.descriptors.append(Descriptor(opcode, values | waits))

    def _draw(self) -> None:
        rng, shape = self.rng, self.shape
        kind = int(rng.integers(12))
        if kind < 2 and shape.encodes and rng.integers(2):
            self._move_pairs((Opcode.LOAD, Opcode.STORE)[kind])
        elif kind < 2:
            opcode = (Opcode.LOAD, Opcode.STORE)[kind]
            lines = int(rng.integers(1, shape.lines // 4 + 1))
            places = 2 * shape.lines - lines
            address = int(rng.integers(places + 1)) * shape.line_bytes
            if opcode is Opcode.LOAD:
                address += self._tensors if rng.integers(2) else self._end
            self._add(opcode, address=address, line=self._line(), lines=lines)
        elif kind == 2:
            self._add(Opcode.TABLE, address=self._tables + int(rng.integers(4)) * TABLE_BYTES)
        else:
            vector = [each for each in VECTOR if each in opcodes(shape.multiplies)]
            opcode = Opcode.MATRIX if kind < 7 else vector[(kind - 7) % len(vector)]
            for _ in range(100):
                fields = self._patches(opcode)
                fields |= self._matrix(fields) if opcode is Opcode.MATRIX else {}
                if fields.get("depth", 1) > shape.weight_depth:
                    continue
                self._streamed(opcode, fields, draft=True)
                if _is_consistent(shape, Descriptor(opcode, fields)):
                    self._streamed(opcode, fields, draft=False)
                    self._add(opcode, **fields)
                    self._last = fields
                    return

    def _move_pairs(self, opcode: Opcode) -> None:
        """Lines that are stored pairs in memory: where some are, or that are loaded again."""
        rng, shape = self.rng, self.shape
        groups = int(rng.integers(1, shape.lines // 4 // shape.encoded_lines + 1))
        lines, group = groups * shape.encoded_lines, shape.memory_bytes(shape.encoded_lines, True)
        move = {"lines": lines, "encoded": 1}
        if opcode is Opcode.LOAD:
            first = int(rng.integers(2 * shape.lines // shape.encoded_lines - groups + 1))
            self._add(opcode, address=self._pairs + first * group, line=self._line(), **move)
            return
        places = (2 * shape.lines * shape.line_bytes - groups * group) // shape.beat_bytes
        address = int(rng.integers(places + 1)) * shape.beat_bytes
        self._add(opcode, address=address, line=self._line(), **move)
        if rng.integers(2):
            self._add(Opcode.LOAD, address=self._end + address, line=self._line(), **move)

    def _line(self) -> int:
        return int(self.rng.integers(self.shape.lines))

    def _patches(self, opcode: Opcode) -> dict[str, int]:
        """Some patches of some lines, or of the last results; and some place for what is made."""
        rng = self.rng

        def draw(most: int, least: int = 1) -> int:
            return int(rng.integers(least, most + 1))

        own: dict[str, int] = {}
        for name, most in (("stride", 3), ("dilation", 3), ("kernel", 3)):
            axes = ("height", "width") if name == "kernel" else ("y", "x")
            own |= {f"{name}_{axis}": draw(most) if rng.integers(2) else 1 for axis in axes}
        if opcode in (Opcode.COMBINE, Opcode.PRODUCT):
            own |= {"kernel_height": 1, "kernel_width": 1}
        own |= {"in_height": draw(9), "in_width": draw(9), "in_words": draw(4)}
        own |= {"in_line": self._line(), "in_pitch": own["in_words"] + draw(2, 0)}
        if self._last and rng.integers(2) and not self._last.get("sums"):
            before = self._last
            width = before["out_width"]
            own |= {"in_line": before["out_line"], "in_pitch": before["out_pitch"]}
            own |= {"in_words": before["out_words"], "in_width": width}
            own |= {"in_height": -(-before["pixels"] // width)}
        own |= {"pad_top": draw(2, 0), "pad_left": draw(2, 0), "pad_byte": draw(255, 0)}
        own |= {"zero_point": draw(255, 0), "table": draw(1, 0)}
        own |= {"sums": int(rng.integers(4) == 0)}
        sides = []
        for side, axis, pad in (("height", "y", "top"), ("width", "x", "left")):
            extent = (own[f"kernel_{side}"] - 1) * own[f"dilation_{axis}"] + 1
            padded = own[f"in_{side}"] + own[f"pad_{pad}"] + draw(2, 0)
            sides.append(max(1, (padded - extent) // own[f"stride_{axis}"] + 1))
        rows, columns = sides
        # All results, or those from one to another.
        first, end = 0, rows * columns
        if rng.integers(2):
            first = draw(end - 1, 0)
            end = draw(end, first + 1)
        own |= {"out_width": columns, "first_pixel": first, "pixels": end - first}
        own |= {"first_row": first // columns, "first_column": first % columns}
        own |= {"tiles_m": sum(1 for _ in _tiles(self.shape, own))}
        words = draw(4)
        own |= {"out_line": self._line(), "out_words": words}
        own |= {"out_pitch": words * (4 if own["sums"] else 1) + draw(2, 0)}
        if opcode in (Opcode.COMBINE, Opcode.PRODUCT):
            own |= {"other_line": self._line(), "other_pitch": words + draw(2, 0)}
            own |= {"other_zero_point": draw(255, 0), "broadcast": draw(1, 0)}
        if opcode is Opcode.SUM:
            own |= {"uniform": draw(1, 0)}
        return own

    def _matrix(self, fields: Mapping[str, int]) -> dict[str, int]:
        shape = self.shape
        fmt = shape.format
        return {
            "exact": int(fmt is not None and self.rng.integers(3) == 0),
            "tiles_n": -(-fields["out_words"] // shape.column_words),
            "depth": fields["kernel_height"] * fields["kernel_width"] * fields["in_words"],
        }

    def _streamed(self, opcode: Opcode, fields: dict[str, int], draft: bool) -> None:
        """Add what the descriptor's stream is to its fields, and unless a draft to memory."""
        shape, rng = self.shape, self.rng
        parts: list[Bytes] = []
        if opcode is Opcode.MATRIX:
            depth, limit = fields["depth"] * shape.k_per_cycle, 1 << (shape.weight_bits - 1)
            for _ in range(fields["tiles_n"]):
                weights = rng.integers(-limit, limit, (depth, shape.cols)).astype(np.int8)
                parameters = random_parameters(rng, shape.cols)
                parts += [pack_columns(shape, parameters), pack_weights(shape, weights)]
        else:
            count = weights_per_channel(Descriptor(opcode, fields))
            channels = fields["out_words"] * shape.k_per_cycle
            spread = int(rng.choice([20, 500, 1 << 15]))
            channel_weights = rng.integers(-spread, spread, (channels, count)).astype(np.int16)
            parts.append(pack_channels(shape, random_parameters(rng, channels), channel_weights))
        stream = np.concatenate(parts)
        fields |= {"address": self._streams, "beats": len(stream) // shape.beat_bytes}
        if not draft:
            start = self._reads_start + self._streams
            self.memory[start : start + len(stream)] = stream
            self._streams += len(stream)
            assert self._streams <= self._end


def random_parameters(rng: np.random.Generator, channels: int) -> npt.NDArray[np.void]:
    """Of so many channels, such that results spread over the bytes."""
    parameters = np.zeros(channels, COLUMN_PARAMETERS)
    parameters["bias"] = rng.integers(-2000, 2000, channels)
    parameters["multiplier"] = rng.integers(1 << 14, 1 << 15, channels)
    parameters["shift"] = rng.integers(15, 24, channels)
    parameters["zero_point"] = rng.integers(0, 256, channels)
    parameters["low"] = rng.integers(0, 40, channels)
    parameters["high"] = rng.integers(200, 256, channels)
    return parameters
