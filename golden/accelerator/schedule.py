"""When each descriptor of a program runs, in cycles, as the parts in ``hdl/accelerator`` and
``hdl/memory`` do it: each of them is a process that says when it did what.
"""

from bisect import bisect_left
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from golden.accelerator.cycles import (
    passes,
    read_beats,
    slices_of_tile,
    sums_of_tile,
    vector_slices,
    walk_cycles,
    words_of_column,
    written_beats,
)
from golden.accelerator.events import Process, Times, run_processes
from golden.accelerator.program import tiles_of, weights_per_channel
from golden.accelerator.program_order import WAITS, Unit, unit_of, waited_for
from golden.accelerator.reads import BURST, THROUGH_QUEUE, ReadBus, ReadTimes, burst_length
from golden.accelerator.shape import WORD_BYTES, AcceleratorShape
from golden.descriptor import DESCRIPTOR_BYTES, TABLE_BYTES, Descriptor, Opcode
from golden.engine import WORDS_PER_COLUMN, WORDS_PER_SUM
from golden.format import ACTIVATION_BITS

LATENCY = 40
"""Of the memory that is meant where nothing else is said."""

# Cycles from one place to the next.
DECODE = 9
"""From the last beat of a descriptor to its being given to its unit."""
TO_WALK = 4
"""From the start of a descriptor to the first row of pixels of its first tile."""
TO_READ = 2
"""From when a tile is taken to its first access of the scratchpad."""
READ_TO_SLICE = 2
"""From an access to its slice."""
READ_TO_MACHINE = READ_TO_SLICE + 1
"""There is a register in front of the machine."""
TO_TURNER = 6
"""From a row of sums to its bytes in the turner."""
SUMS_TO_TURNER = 2 + 5 * WORDS_PER_SUM
"""The same of sums, which fill the requantizer's stages until they have left."""
TO_REQUANTIZER = 2
"""From the last slice of a tile to its first channel in the requantizers of the vector unit."""
TO_WORD = 3
"""From a word's being complete there to its being offered."""
TO_STORED_BEAT = 4
"""From the start of a STORE to its first beat."""
TO_STORED_BURST = 2
"""From the last beat of a burst to its address."""

# How much waits.
GIVEN = {Unit.LOAD: 4, Unit.STORE: 4, Unit.COMPUTE: 2}
"""Descriptors that a unit holds: those that it has not started, or of those computed not ended."""
STREAMS = 3
"""Streams that may be under way."""
BANKS = 2
"""Of weights and parameters."""
SLICES_HELD = 2
"""In front of the weights' buffer."""
SLICES_AHEAD = 4
"""That are read before the machine takes them in planes."""
LINES_HELD = 2
"""Lines that are read before their beats leave."""

BEAT = 2 * ACTIVATION_BITS
"""The size of a beat of bytes, in bits of a pair of them."""


class Span(NamedTuple):
    """When a descriptor starts and ends, in cycles from the start of the program."""

    start: int
    end: int


def _beat_size(shape: AcceleratorShape, d: Descriptor) -> int:
    """Of :data:`BEAT`, what a beat of lines takes in memory."""
    return shape.pair_bits if d.encoded else BEAT


def schedule(
    shape: AcceleratorShape,
    program: Sequence[Descriptor],
    latency: int = LATENCY,
    reads: int = 0,
    writes: int = 0,
) -> list[Span]:
    """When each descriptor of a program runs, that of END being its last cycle.

    Memory answers after ``latency`` cycles, and then gives and takes a beat per cycle; ``reads``
    and ``writes`` are where its windows start, in bytes.
    """
    return _Schedule(shape, program, latency, reads, writes).spans()


class _Banks:
    """Two banks that are filled and freed by turns."""

    def __init__(self) -> None:
        self.full = Times()
        """When each filling could be read first."""
        self.freed = Times()
        """When each was not needed any more."""

    def free(self) -> Process[int]:
        """When the bank that is filled next was freed."""
        return (yield from self.freed.when(len(self.full) - BANKS))


class _Words:
    """What is taken of streams, by words of 32 bits or by slices, one in a cycle."""

    def __init__(self, shape: AcceleratorShape, reads: ReadTimes):
        self._reads = reads
        self._words_per_beat = shape.beat_bytes // WORD_BYTES
        self._beats_per_slice = max(1, shape.slice_bytes // shape.beat_bytes)
        self._slices_per_beat = max(1, shape.beat_bytes // shape.slice_bytes)
        self._place = 0
        """In a beat that has more words."""
        self.last = 0
        """When the last word or slice was taken."""

    def words(self, count: int, after: int) -> Process[None]:
        """Take words, ``after`` a cycle."""
        reads = self._reads
        self.last = max(self.last, after)
        while count:
            some = min(count, self._words_per_beat - self._place)
            offered = yield from reads.offered.when(len(reads.taken))
            self.last = max(self.last + 1, offered) + some - 1
            count, self._place = count - some, self._place + some
            if self._place == self._words_per_beat:
                self.end()

    def end(self) -> None:
        """What fills up a beat is dropped."""
        if self._place:
            self._reads.taken.append(self.last)
            self._place = 0

    def slices(self, count: int, after: int) -> Process[list[int]]:
        """Take slices into a bank, ``after`` a cycle: when each was in it."""
        reads, stored = self._reads, after
        result: list[int] = []
        for number in range(count):
            if number % self._slices_per_beat == 0:
                for _ in range(self._beats_per_slice - 1):
                    self.last = yield from reads.take(self.last)
            offered = yield from reads.offered.when(len(reads.taken))
            self.last = max(self.last + 1, offered)
            if number >= SLICES_HELD:
                self.last = max(self.last, result[number - SLICES_HELD] + 1)
            if (number + 1) % self._slices_per_beat == 0 or number + 1 == count:
                reads.taken.append(self.last)
            stored = max(stored, self.last) + 1
            result.append(stored)
        return result


class _UnitTimes:
    """The descriptors of a unit, what they wait for, and when they were given, began and ended."""

    def __init__(self) -> None:
        self.descriptors: list[Descriptor] = []
        self.waits: list[list[int]] = []
        self.given, self.started, self.ended = Times(), Times(), Times()


class _Schedule:
    """The times of all that happens; cycle 0 is that of the start."""

    def __init__(
        self,
        shape: AcceleratorShape,
        program: Sequence[Descriptor],
        latency: int,
        reads: int,
        writes: int,
    ):
        self._shape = shape
        self._program = program
        self._latency = latency
        self._reads_start, self._writes_start = reads, writes
        bus = ReadBus(latency)
        self._loads, self._streams, self._fetches = (
            ReadTimes(bus, shape.beat_bytes, depth) for depth in (2 * BURST, 2 * BURST, BURST)
        )
        self._units = {unit: _UnitTimes() for unit in Unit}
        for d in program:
            unit = unit_of(d.opcode)
            if unit is not None:
                own = self._units[unit]
                started = [len(each.descriptors) for each in self._units.values()]
                own.waits.append(
                    [waited_for(d, *each) for each in zip(WAITS, started, strict=True)]
                )
                own.descriptors.append(d)
        self._described, self._stream_ended = Times(), Times()
        self._slices: list[list[int]] = []
        """Of each column of tiles, when each slice of its weights was in the buffer."""
        self._weights, self._parameters = _Banks(), _Banks()
        self._vector_weights, self._vector_parameters = _Banks(), _Banks()
        self._lines_read: list[int] = []
        """When lines were read to be stored."""
        self._results: deque[range] = deque()
        """When results are written, from where a load is."""
        self._end = 0

    def spans(self) -> list[Span]:
        """Those of all descriptors."""
        reads = (self._loads, self._streams, self._fetches)
        units = (self._read_program(), self._load(), self._store(), self._route(), self._compute())
        run_processes([*(each.process() for each in reads), *units])
        runs = {
            unit: iter([Span(*each) for each in zip(own.started, own.ended, strict=True)])
            for unit, own in self._units.items()
        }
        units_of = (unit_of(d.opcode) for d in self._program)
        return [
            Span(self._end, self._end) if unit is None else next(runs[unit]) for unit in units_of
        ]

    def _read_program(self) -> Process[None]:
        """Descriptors are fetched and given; streams are asked for before."""
        shape, fetches, streams = self._shape, self._fetches, self._streams
        address, at = self._reads_start, 1
        for d in self._program:
            fetches.request(at, address, shape.in_beats(DESCRIPTOR_BYTES))
            address += DESCRIPTOR_BYTES
            for _ in range(shape.in_beats(DESCRIPTOR_BYTES)):
                at = yield from fetches.take(at)
            at += DECODE
            unit = unit_of(d.opcode)
            if unit is None:
                break
            own = self._units[unit]
            if unit is Unit.COMPUTE:
                number = len(self._described)
                at = max(at, (yield from streams.accepted.when(number - 1)))
                streams.request(at, self._reads_start + d.address, read_beats(shape, d))
                ended = yield from self._stream_ended.when(number - STREAMS)
                at = max(at, ended) + 1
                self._described.append(at)
                at += 1
            left = own.ended if unit is Unit.COMPUTE else own.started
            number = len(own.given) - GIVEN[unit]
            if number >= 0:
                at = max(at, (yield from left.when(number)) + 1)
            own.given.append(at)
            at += 1
        for own in self._units.values():
            last = yield from own.ended.when(len(own.given) - 1)
            at = max(at, last + 1 if own.given else 0)
        self._end = at

    def _may_start(self, unit: Unit) -> Process[int]:
        """When a unit has its next descriptor and what that waits for has ended."""
        own = self._units[unit]
        number = len(own.started)
        at = (yield from own.given.when(number)) + THROUGH_QUEUE
        for other, count in zip(self._units.values(), own.waits[number], strict=True):
            if count > 0:
                at = max(at, (yield from other.ended.when(count - 1)) + 1)
        return at

    def _load(self) -> Process[None]:
        """Lines come, beat by beat."""
        own, reads = self._units[Unit.LOAD], self._loads
        last = 0
        for d in own.descriptors:
            at = yield from self._may_start(Unit.LOAD)
            at = max(at, (yield from reads.accepted.when(len(own.started) - 1)))
            own.started.append(at)
            reads.request(at, self._reads_start + d.address, read_beats(self._shape, d))
            size, held = _beat_size(self._shape, d), 0
            for _ in range(self._shape.in_beats(d.lines * self._shape.line_bytes)):
                # Of stored pairs a beat has more than one of bytes: the rest is held.
                comes = held < size
                last = yield from self._load_beat(last + 1, comes)
                held += comes * BEAT - size
            own.ended.append(last)

    def _load_beat(self, at: int, comes: bool) -> Process[int]:
        """The next beat is written from a cycle on, when no results are; that cycle. Unless all of
        it is held, it ``comes``.
        """
        reads, results = self._loads, self._results
        if comes:
            at = max(at, (yield from reads.offered.when(len(reads.taken))))
        yield at
        while results and at >= results[0].start:
            if at >= results[0].stop:
                results.popleft()
            elif at in results[0]:
                at += 1
            else:
                break
        if comes:
            reads.taken.append(at)
        return at

    def _store(self) -> Process[None]:
        """Lines go, burst by burst, each when all its beats are there."""
        shape, own = self._shape, self._units[Unit.STORE]
        per_line = shape.in_beats(shape.line_bytes)
        read = written = asked = 0
        for d in own.descriptors:
            at = max((yield from self._may_start(Unit.STORE)), asked)
            own.started.append(at)
            held = range(at + THROUGH_QUEUE, at + THROUGH_QUEUE + min(LINES_HELD, d.lines))
            others = range(held[-1] + per_line, held[-1] + d.lines * per_line, per_line)
            self._lines_read += [*held, *others[: d.lines - len(held)]]
            first, left = (
                (self._writes_start + d.address) // shape.beat_bytes,
                written_beats(shape, d),
            )
            before, beats = max(read, at + TO_STORED_BEAT - 1), 0
            while left:
                length = burst_length(first, left)
                beats += length
                read = before - (-beats * BEAT // _beat_size(shape, d))
                asked = max(read + TO_STORED_BURST, written + 1)
                written = asked + length
                first, left = first + length, left - length
            own.ended.append(written + max(1, self._latency))

    def _route(self) -> Process[None]:
        """Parameters and weights go where they are taken, stream after stream."""
        own, words = self._units[Unit.COMPUTE], _Words(self._shape, self._streams)
        for number, d in enumerate(own.descriptors):
            offered = (yield from self._described.when(number)) + THROUGH_QUEUE
            words.last = max(words.last, offered - 1)
            if d.opcode is Opcode.TABLE:
                start = yield from own.started.when(number)
                yield from words.words(TABLE_BYTES // WORD_BYTES, start - 1)
            elif d.opcode is Opcode.MATRIX:
                yield from self._load_columns(d, number, words)
            else:
                yield from self._load_channels(d, number, words)
            words.end()
            self._stream_ended.append(words.last)

    def _load_columns(self, d: Descriptor, number: int, words: _Words) -> Process[None]:
        """Of each column of tiles its parameters, and then its weights, known when it is given."""
        for _ in range(d.tiles_n):
            free = yield from self._parameters.free()
            yield from words.words(WORDS_PER_COLUMN * self._shape.cols, free)
            words.end()
            self._parameters.full.append(words.last + 1)
            given = yield from self._units[Unit.COMPUTE].given.when(number)
            free = max(given + THROUGH_QUEUE - 1, (yield from self._weights.free()))
            slices = yield from words.slices(d.depth, free)
            self._slices.append(slices)
            self._weights.full.append(slices[-1] + 1)

    def _load_channels(self, d: Descriptor, number: int, words: _Words) -> Process[None]:
        """Of each channel word of the vector unit parameters and weights."""
        given = yield from self._units[Unit.COMPUTE].given.when(number)
        of_channel = WORDS_PER_COLUMN + -(-weights_per_channel(d) // 2)
        for _ in range(d.out_words):
            free = max(
                given + THROUGH_QUEUE - 1,
                (yield from self._vector_weights.free()),
                (yield from self._vector_parameters.free()),
            )
            yield from words.words(self._shape.k_per_cycle * of_channel, free)
            for banks in (self._vector_weights, self._vector_parameters):
                banks.full.append(words.last + 1)

    def _compute(self) -> Process[None]:
        """Descriptors are computed, one after the other."""
        own = self._units[Unit.COMPUTE]
        for number, d in enumerate(own.descriptors):
            start = (yield from self._may_start(Unit.COMPUTE)) + 1
            if number:
                start = max(start, own.ended[-1] + 2)
            own.started.append(start)
            if d.opcode is Opcode.TABLE:
                own.ended.append((yield from self._stream_ended.when(number)))
            elif d.opcode is Opcode.MATRIX:
                own.ended.append((yield from self._multiply(d, start)))
            else:
                own.ended.append((yield from self._compute_channels(d, start)))

    def _read_patches(self, first: int, slices: int) -> Process[int]:
        """Slices are read from a cycle on, but while lines are that are stored: the last cycle."""
        last = first + slices - 1
        while True:
            yield last
            lost = bisect_left(self._lines_read, last + 1) - bisect_left(self._lines_read, first)
            if last == first + slices - 1 + lost:
                return last
            last = first + slices - 1 + lost

    def _late_planes(self, first: int, depth: int, count: int) -> Process[int]:
        """By how much slices that are taken ``count`` times come late, as lines are stored, if each
        is read from a cycle on as there is room for it.
        """
        yield first + depth * count
        lines = self._lines_read
        if bisect_left(lines, first) == bisect_left(lines, first + depth * count):
            return 0
        taken: list[int] = []
        read = first - 1
        for number in range(depth):
            read += 1
            if number >= SLICES_AHEAD:
                read = max(read, taken[number - SLICES_AHEAD])
            place = bisect_left(lines, read)
            while place < len(lines) and lines[place] == read:
                place, read = place + 1, read + 1
            taken.append(max(read, taken[-1] + count if taken else read))
        return taken[-1] - first - (depth - 1) * count

    def _multiply(self, d: Descriptor, start: int) -> Process[int]:
        """The tiles of a MATRIX, column by column; when it ends."""
        shape = self._shape
        rows, steps = shape.rows, shape.k_per_cycle
        latency = shape.latency
        room = max(2, -(-(latency + rows + 3) // rows))
        tiles = tiles_of(shape, d)
        walks = [walk_cycles(shape, d, tile, tile is tiles[-1]) for tile in tiles]
        slices, count = slices_of_tile(shape, d), passes(shape, d)
        looks_up = d.table and not d.sums
        tile_read = start + TO_WALK + walks[0] + TO_READ
        free = turned = 0
        finished: list[int] = []
        for column in range(d.tiles_n):
            number = len(self._weights.freed)
            loaded = yield from self._weights.full.when(number)
            parameters = self._parameters.full[number]
            for index, tile in enumerate(tiles):
                # Slices go in, those of a first tile as their weights come.
                first = max(free, tile_read + READ_TO_MACHINE)
                last = first + slices - 1
                if count == 1:
                    read = yield from self._read_patches(first - READ_TO_MACHINE, slices)
                    last = read + READ_TO_MACHINE
                else:
                    last += yield from self._late_planes(first - READ_TO_MACHINE, d.depth, count)
                if index == 0 and loaded >= first:
                    went = first - 1
                    for comes in self._slices[number]:
                        went = max(went, comes + 1) + count
                    last = max(last, went)
                if len(finished) >= room:
                    last = max(last, finished[-room] + count)
                tile_read = first - READ_TO_MACHINE + walks[(index + 1) % len(tiles)]
                # Sums move out of the machine, row by row.
                ends = max(last, free - 1 + rows if index or column else 0)
                free = ends + 1
                row = max(ends + latency + THROUGH_QUEUE, parameters)
                if finished:
                    row = max(row, finished[-1] + 1)
                # The turner takes them, and gives channel words.
                taken = max(row + TO_TURNER, turned)
                if d.sums:
                    turned = taken + sums_of_tile(shape, d, column, tile)
                    finished.append(turned - SUMS_TO_TURNER)
                    self._results.append(range(taken + 2, turned + 2))
                else:
                    taken += rows - 1
                    words = words_of_column(shape, d, column)
                    period = steps if looks_up else 1
                    turned = taken + words * period
                    finished.append(taken - TO_TURNER)
                    first_written = taken + period + 1 + looks_up
                    self._results.append(range(first_written, turned + 2 + looks_up, period))
            self._weights.freed.append(last - count)
            self._parameters.freed.append(finished[-1])
        return turned + 1 + looks_up

    def _compute_channels(self, d: Descriptor, start: int) -> Process[int]:
        """The tiles of the vector unit, channel word by channel word; when it ends."""
        shape = self._shape
        slices, steps = vector_slices(d), shape.k_per_cycle
        tiles = tiles_of(shape, d)
        walks = [walk_cycles(shape, d, tile, tile is tiles[-1]) for tile in tiles]
        channels = max(steps, WORDS_PER_SUM) if d.sums else steps
        looked_up = steps if d.table and not d.sums else 0
        # A word that is looked up holds up the channels behind it.
        period = channels + max(0, looked_up - 1)
        tile_read = start + TO_WALK + walks[0] + TO_READ
        free = 0
        fetched = -period - 1
        for _ in range(d.out_words):
            number = len(self._vector_weights.freed)
            free = max(free, (yield from self._vector_weights.full.when(number)))
            for index in range(len(tiles)):
                # One slice may wait until the sums before it were fetched.
                first = max(free, tile_read + READ_TO_SLICE, fetched - 1)
                read = yield from self._read_patches(first - READ_TO_SLICE, slices)
                last = read + READ_TO_SLICE
                free = last + 1
                tile_read = first - READ_TO_SLICE + walks[(index + 1) % len(tiles)]
                # Parameters of the next channel word take a cycle to come.
                more = max(0, steps + 1 - channels) if index == 0 else 0
                fetched = max(last + TO_REQUANTIZER, fetched + period + more)
                written = fetched + TO_WORD + channels + looked_up + 1
                count = WORDS_PER_SUM if d.sums else 1
                self._results.append(range(written + 1 - count, written + 1))
            self._vector_weights.freed.append(last)
            self._vector_parameters.freed.append(fetched + (steps - 1) * (channels // steps))
        return written
