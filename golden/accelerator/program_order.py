"""What the descriptors of a program touch, and whether their waits keep what touches the same in
order: the units of an accelerator run beside each other.
"""

from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from golden.accelerator.program import Window, taps
from golden.accelerator.shape import AcceleratorShape
from golden.descriptor import COMPUTE, TABLE_BYTES, WAIT_COUNTS, Descriptor, Opcode

Places = npt.NDArray[np.int64]
"""Lines of the scratchpad, or of memory, each once."""
NOWHERE: Places = np.zeros(0, np.int64)
MOST_AHEAD = WAIT_COUNTS // 2 - 1
"""Descriptors of a unit that may have been started and not ended, as far as counts can tell."""


class Unit(IntEnum):
    """What does a descriptor, one after the other."""

    LOAD = 0
    STORE = 1
    COMPUTE = 2


WAITS = ("wait_loads", "wait_stores", "wait_computes")
"""The field in which a descriptor waits for each unit."""


class Touched(NamedTuple):
    """What a descriptor reads and writes: lines of the scratchpad, and of memory.

    ``streamed`` are lines of memory that are read before the descriptor starts.
    """

    reads: Places = NOWHERE
    writes: Places = NOWHERE
    memory_reads: Places = NOWHERE
    memory_writes: Places = NOWHERE
    streamed: Places = NOWHERE


class Unordered(NamedTuple):
    """Two descriptors, by their places in the program, that may touch ``where`` in either order."""

    first: int
    second: int
    where: str


def unit_of(opcode: Opcode) -> Unit | None:
    """The unit that does it; none of END."""
    if opcode in COMPUTE:
        return Unit.COMPUTE
    return {Opcode.LOAD: Unit.LOAD, Opcode.STORE: Unit.STORE}.get(opcode)


def touched(shape: AcceleratorShape, d: Descriptor, reads: Window, writes: Window) -> Touched:
    """What ``d`` touches; lines of memory are counted from address 0."""
    match d.opcode:
        case Opcode.END:
            return Touched()
        case Opcode.LOAD:
            count = shape.memory_bytes(d.lines, bool(d.encoded))
            memory = _memory(shape, reads.start + d.address, count)
            return Touched(writes=_moved(shape, d), memory_reads=memory)
        case Opcode.STORE:
            count = shape.memory_bytes(d.lines, bool(d.encoded))
            memory = _memory(shape, writes.start + d.address, count)
            return Touched(reads=_moved(shape, d), memory_writes=memory)
        case Opcode.TABLE:
            return Touched(streamed=_memory(shape, reads.start + d.address, TABLE_BYTES))
    stream = _memory(shape, reads.start + d.address, d.beats * shape.beat_bytes)
    pixels = [positions[inside] // shape.banks for positions, inside in taps(d)]
    words = d.in_words if d.opcode is Opcode.MATRIX else d.out_words
    read = _lines(shape, d.in_line, d.in_pitch, np.concatenate(pixels), words)
    if d.opcode in (Opcode.COMBINE, Opcode.PRODUCT):
        blocks = np.zeros(1, np.int64) if d.broadcast else pixels[0]
        other = _lines(shape, d.other_line, d.other_pitch, blocks, words)
        read = np.union1d(read, other)
    results = d.out_words
    if d.opcode is Opcode.MATRIX:
        results = min(results, d.tiles_n * shape.column_words)
    blocks = (d.first_pixel + np.arange(d.pixels)) // shape.banks
    written = _lines(shape, d.out_line, d.out_pitch, blocks, results * (4 if d.sums else 1))
    return Touched(read, written, streamed=stream)


def _memory(shape: AcceleratorShape, address: int, count: int) -> Places:
    return np.arange(address // shape.line_bytes, -(-(address + count) // shape.line_bytes))


def _moved(shape: AcceleratorShape, d: Descriptor) -> Places:
    return (d.line + np.arange(d.lines)) % shape.lines


def _lines(
    shape: AcceleratorShape, line: int, pitch: int, blocks: npt.NDArray[np.int64], words: int
) -> Places:
    lines = line + np.unique(blocks)[:, np.newaxis] * pitch + np.arange(words)
    return np.unique(lines % shape.lines)


class _Last:
    """The last descriptors that read and wrote each place, 1 for the first of a unit."""

    def __init__(self) -> None:
        self._counts = np.zeros((2, len(Unit), 0), np.int64)

    def counts(self, places: Places, also_reads: bool) -> npt.NDArray[np.int64]:
        """Of each unit the last one that wrote, or also that read, any of the places."""
        known = places[places < self._counts.shape[2]]
        counts = self._counts[: 2 if also_reads else 1, :, known]
        result: npt.NDArray[np.int64] = counts.max(axis=(0, 2), initial=0)
        return result

    def note(self, places: Places, read: bool, unit: Unit, count: int) -> None:
        """The descriptor ``count`` of ``unit`` wrote the places, or ``read`` them."""
        if not len(places):
            return
        more = int(places.max()) + 1 - self._counts.shape[2]
        if more > 0:
            more = max(more, self._counts.shape[2])
            self._counts = np.pad(self._counts, ((0, 0), (0, 0), (0, more)))
        self._counts[int(read), unit, places] = count


class Footprints:
    """What was touched so far, and so what a next descriptor must wait for."""

    def __init__(self) -> None:
        self._lines, self._memory = _Last(), _Last()
        self.started = [0] * len(Unit)
        """Descriptors of each unit."""

    def needed(self, unit: Unit, what: Touched) -> dict[str, list[int]]:
        """How many of each unit must have ended before what touches ``what``: of lines, memory.

        Of its own unit none: that does one after the other.
        """
        needed = {
            "scratchpad": np.maximum(
                self._lines.counts(what.reads, False), self._lines.counts(what.writes, True)
            ),
            "memory": np.maximum(
                self._memory.counts(what.memory_reads, False),
                self._memory.counts(what.memory_writes, True),
            ),
        }
        for counts in needed.values():
            counts[unit] = 0
        return {where: counts.tolist() for where, counts in needed.items()}

    def stored(self, what: Touched) -> int:
        """The last STORE into what ``what`` reads before it starts: there must be none."""
        return int(self._memory.counts(what.streamed, False)[Unit.STORE])

    def note(self, unit: Unit, what: Touched) -> None:
        """The next descriptor of ``unit`` touches ``what``."""
        self.started[unit] += 1
        count = self.started[unit]
        self._lines.note(what.reads, True, unit, count)
        self._lines.note(what.writes, False, unit, count)
        self._memory.note(what.memory_reads, True, unit, count)
        self._memory.note(what.streamed, True, unit, count)
        self._memory.note(what.memory_writes, False, unit, count)


def wait_fields(started: Sequence[int], needed: Iterable[int]) -> dict[str, int]:
    """The fields of a descriptor that waits for so many of each unit, of those ``started``."""
    return {
        name: max(count, before - MOST_AHEAD) % WAIT_COUNTS
        for name, count, before in zip(WAITS, needed, started, strict=True)
    }


def waited_for(d: Descriptor, name: str, started: int) -> int:
    """How many of the ``started`` descriptors of a unit the field ``name`` waits for; or less than
    1, for none.
    """
    return started - (started - int(getattr(d, name))) % WAIT_COUNTS


def unordered(
    shape: AcceleratorShape, program: Sequence[Descriptor], reads: Window, writes: Window
) -> Unordered | None:
    """The first descriptor whose waits do not make it come after an earlier one of another unit
    that touches the same line or byte, one of them writing it; None if there is none.

    Waits hold through others: what a descriptor waits for has waited itself, and so has what its
    unit did before it.
    """
    footprints = Footprints()
    places: list[list[int]] = [[] for _ in Unit]
    ended: list[list[list[int]]] = [[] for _ in Unit]
    # Of each descriptor of a unit: how many of each unit have ended when it has.
    for place, descriptor in enumerate(program):
        unit = unit_of(descriptor.opcode)
        if unit is None:
            continue
        known = list(ended[unit][-1]) if ended[unit] else [0] * len(Unit)
        for other, name in zip(Unit, WAITS, strict=True):
            count = waited_for(descriptor, name, footprints.started[other])
            if count > 0:
                known = list(map(max, known, ended[other][count - 1]))
        what = touched(shape, descriptor, reads, writes)
        if stored := footprints.stored(what):
            return Unordered(places[Unit.STORE][stored - 1], place, "memory")
        for where, needed in footprints.needed(unit, what).items():
            for other in Unit:
                if needed[other] > known[other]:
                    return Unordered(places[other][needed[other] - 1], place, where)
        footprints.note(unit, what)
        known[unit] = footprints.started[unit]
        ended[unit].append(known)
        places[unit].append(place)
    return None
