"""Descriptors of a program, one after the other: fetched, checked, and handed on."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from golden.descriptor import (
    COMPUTE,
    DESCRIPTOR_BYTES,
    MOST_SUM_WORDS,
    MOST_WEIGHTS,
    TABLE_BYTES,
    WAIT_COUNTS,
    Error,
    Opcode,
    opcodes,
)
from hdl.accelerator.accelerator_unit import AcceleratorUnit
from hdl.accelerator.descriptor_fields import DESCRIPTOR_BITS, DescriptorFields
from hdl.accelerator.layouts import EVENT_BITS, STREAM, WAITS_BITS, WORD_BITS, StreamKind
from hdl.engine.column_parameters import WORDS_PER_COLUMN
from hdl.memory.transfer import transfer_layout
from hdl.placement import Component, place
from hdl.stream.upsizer import Upsizer

WINDOW_BITS = 32
LAG_BITS = (WAIT_COUNTS - 1).bit_length()
FACTOR_BITS = 32, 16

UNITS = {"loads": (Opcode.LOAD,), "stores": (Opcode.STORE,), "computes": COMPUTE}
"""What each unit does."""


class ProgramReader(Component):
    """Runs a program: fetches descriptors, checks them, and gives each to the unit that does it.

    What is right, and which error it is otherwise, says ``golden.accelerator.program.Machine``. A
    descriptor is given only when it was found right; with its parameters and weights, a stream that
    is asked for at once, before what it waits for has ended. After an END, or an error, the program
    ends when all that was given has ended.

    Parameters
    ----------
    unit : AcceleratorUnit

    Members
    -------
    start : In(1)
        A program begins at ``program``; not while one runs.
    program : In(32)
        Where it starts, in bytes from the start of the window.
    reads_start, writes_start : In(64)
        Addresses of the windows.
    reads_size, writes_size : In(32)
        Their bytes.
    fetch_request_valid : Out(1), fetch_request_ready : In(1)
    fetch_request : Out(transfer_layout(64))
        Of a descriptor.
    fetch_valid : In(1), fetch_ready : Out(1), fetch_data : In(data_bits)
        Its beats.
    stream_request_valid : Out(1), stream_request_ready : In(1)
    stream_request : Out(transfer_layout(64))
        Of parameters and weights.
    stream_valid : Out(1)
        What that stream is, is offered, until it is taken.
    stream_ready : In(1)
        It is taken.
    stream : Out(STREAM)
        What it is.
    loads_valid, stores_valid, computes_valid : Out(1)
        The descriptor is offered to a unit, until it is taken.
    loads_ready, stores_ready, computes_ready : In(1)
        It is taken.
    descriptor : Out(512)
        The descriptor.
    waits : Out(48)
        What must have ended before it starts.
    weights : Out(16)
        Of a vector operation: the weights of each channel.
    loads_ended, stores_ended, computes_ended : In(16)
        How many of them have ended, modulo 65536.
    running : Out(1)
        A program runs.
    ended : Out(1)
        It ends in this cycle.
    error : Out(8)
        Why, when it ends.
    done : Out(32)
        Descriptors of the program that were given, or that ended it.
    """

    def __init__(self, unit: AcceleratorUnit):
        self.unit = unit
        bus = unit.bus
        transfer = transfer_layout(bus.address_bits)
        count = In(EVENT_BITS)
        super().__init__(
            {
                "start": In(1),
                "program": In(WINDOW_BITS),
                "reads_start": In(bus.address_bits),
                "reads_size": In(WINDOW_BITS),
                "writes_size": In(WINDOW_BITS),
                "fetch_request_valid": Out(1),
                "fetch_request_ready": In(1),
                "fetch_request": Out(transfer),
                "fetch_valid": In(1),
                "fetch_ready": Out(1),
                "fetch_data": In(bus.data_bits),
                "stream_request_valid": Out(1),
                "stream_request_ready": In(1),
                "stream_request": Out(transfer),
                "stream_valid": Out(1),
                "stream_ready": In(1),
                "stream": Out(STREAM),
                "loads_valid": Out(1),
                "loads_ready": In(1),
                "stores_valid": Out(1),
                "stores_ready": In(1),
                "computes_valid": Out(1),
                "computes_ready": In(1),
                "descriptor": Out(DESCRIPTOR_BITS),
                "waits": Out(WAITS_BITS),
                "weights": Out(WORD_BITS),
                "loads_ended": count,
                "stores_ended": count,
                "computes_ended": count,
                "running": Out(1),
                "ended": Out(1),
                "error": Out(8),
                "done": Out(32),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        bus = self.unit.bus
        address = Signal(WINDOW_BITS, reset_less=True)
        error = Signal(Error, name="found_error")
        done = Signal(32, name="done_count", reset_less=True)
        descriptor = Signal(DESCRIPTOR_BITS, name="own_descriptor", reset_less=True)
        gather = Upsizer(bus.data_bits, DESCRIPTOR_BITS // bus.data_bits)
        place(m, platform, "gather", gather)
        m.d.comb += [
            gather.in_valid.eq(self.fetch_valid),
            gather.in_data.eq(self.fetch_data),
            self.fetch_ready.eq(gather.in_ready),
            self.fetch_request.address.eq(self.reads_start + address),
            self.fetch_request.beats.eq(DESCRIPTOR_BYTES // bus.beat_bytes),
            self.descriptor.eq(descriptor),
        ]

        # What is under way.
        started = {
            name: Signal(EVENT_BITS, name=f"{name}_started", reset_less=True) for name in UNITS
        }
        ended = {name: getattr(self, f"{name}_ended") for name in UNITS}
        is_idle = Cat(started[name] == ended[name] for name in UNITS).all()

        # One multiplier, for one product after the other.
        factors = [
            Signal(bits, name=f"factor_{index}", reset_less=True)
            for index, bits in enumerate(FACTOR_BITS)
        ]
        product = Signal(sum(FACTOR_BITS), reset_less=True)
        m.d.sync += product.eq(factors[0] * factors[1])

        checks = _Checks(self, descriptor, started)
        m.d.comb += self.waits.eq(checks.waits())
        taps = Signal(16, reset_less=True)
        depth = Signal(FACTOR_BITS[0], reset_less=True)
        words = Signal(FACTOR_BITS[0], reset_less=True)
        with m.FSM():
            with m.State("IDLE"), m.If(self.start):
                m.d.sync += [
                    address.eq(self.program),
                    error.eq(Error.NONE),
                    done.eq(0),
                    *(count.eq(0) for count in started.values()),
                ]
                m.next = "FETCH"
            with m.State("FETCH"):
                fits = address + DESCRIPTOR_BYTES <= self.reads_size
                m.d.comb += self.fetch_request_valid.eq(fits)
                with m.If(~fits):
                    m.d.sync += error.eq(Error.READ)
                    m.next = "END"
                with m.Elif(self.fetch_request_ready):
                    m.next = "GATHER"
            with m.State("GATHER"):
                m.d.comb += gather.out_ready.eq(1)
                with m.If(gather.out_valid):
                    m.d.sync += descriptor.eq(gather.out_data)
                    m.next = "FIELDS"
            with m.State("FIELDS"):
                m.d.sync += [
                    error.eq(checks.fields()),
                    *checks.load(factors, *checks.taps()),
                ]
                m.next = "TAPS"
            with m.State("TAPS"):
                m.next = "TAPS_READY"
            with m.State("TAPS_READY"):
                m.d.sync += [
                    taps.eq(product),
                    *checks.load(factors, product[:16], checks.patches.in_words),
                ]
                m.next = "DEPTH"
            with m.State("DEPTH"):
                m.next = "DEPTH_READY"
            with m.State("DEPTH_READY"):
                m.d.sync += [
                    depth.eq(product),
                    *checks.load(factors, *checks.stream_factors(taps)),
                ]
                m.next = "STREAM"
            with m.State("STREAM"):
                m.next = "STREAM_READY"
            with m.State("STREAM_READY"):
                with m.If(error == Error.NONE):
                    m.d.sync += error.eq(checks.sizes(taps, depth, product))
                m.d.sync += words.eq(checks.stream_words(product))
                m.next = "DECIDE"
            with m.State("DECIDE"):
                with m.If(error != Error.NONE):
                    m.next = "END"
                with m.Elif(checks.opcode == Opcode.END):
                    m.d.sync += done.eq(done + 1)
                    m.next = "END"
                with m.Elif(checks.move.is_one_of(*COMPUTE)):
                    m.next = "REQUEST"
                with m.Else():
                    m.next = "GIVE"
            with m.State("REQUEST"):
                m.d.comb += self.stream_request_valid.eq(1)
                with m.If(self.stream_request_ready):
                    m.next = "DESCRIBE"
            with m.State("DESCRIBE"):
                m.d.comb += self.stream_valid.eq(1)
                with m.If(self.stream_ready):
                    m.next = "GIVE"
            with m.State("GIVE"):
                for name, opcodes in UNITS.items():
                    with m.If(checks.move.is_one_of(*opcodes)):
                        m.d.comb += getattr(self, f"{name}_valid").eq(1)
                        with m.If(getattr(self, f"{name}_ready")):
                            m.d.sync += [
                                started[name].eq(started[name] + 1),
                                address.eq(address + DESCRIPTOR_BYTES),
                                done.eq(done + 1),
                            ]
                            m.next = "FETCH"
            with m.State("END"):
                m.d.comb += self.ended.eq(is_idle)
                with m.If(is_idle):
                    m.next = "IDLE"
        is_running = Signal()
        with m.If(self.ended):
            m.d.sync += is_running.eq(0)
        with m.Elif(self.start):
            m.d.sync += is_running.eq(1)
        is_table = checks.opcode == Opcode.TABLE
        m.d.comb += [
            self.running.eq(is_running),
            self.error.eq(error),
            self.done.eq(done),
            self.stream_request.address.eq(self.reads_start + checks.patches.address),
            self.stream_request.beats.eq(
                Mux(is_table, TABLE_BYTES // bus.beat_bytes, checks.patches.beats)
            ),
            self.stream.kind.eq(
                Mux(
                    is_table,
                    StreamKind.TABLE,
                    Mux(checks.opcode == Opcode.MATRIX, StreamKind.MATRIX, StreamKind.VECTOR),
                )
            ),
            self.stream.tiles_n.eq(checks.patches.tiles_n),
            self.stream.depth.eq(checks.patches.depth),
            self.stream.words.eq(words),
            self.weights.eq(checks.patches.weights(taps)),
        ]
        return m


class _Checks:
    """What is wrong with a descriptor, as ``golden.accelerator.program`` says."""

    def __init__(self, reader: ProgramReader, descriptor: Value, started: dict[str, Signal]):
        self._reader = reader
        self._unit = reader.unit
        self._started = list(started.values())
        self._descriptor = descriptor
        self._encoding = self._unit.encoding
        encodes = self._encoding is not None
        self.patches = DescriptorFields(descriptor, Opcode.MATRIX)
        self.move = DescriptorFields(descriptor, Opcode.LOAD, encodes)
        self.opcode = self.move.opcode

    @staticmethod
    def load(factors: list[Signal], first: Any, second: Any) -> list[Any]:
        """Statements: multiply these."""
        return [factors[0].eq(first), factors[1].eq(second)]

    def fields(self) -> Value:
        """The error of what can be seen at once."""
        others = Cat(
            (self.opcode == opcode)
            & DescriptorFields(self._descriptor, opcode, self._unit.encoded_memory).has_other_bits
            for opcode in Opcode
        ).any()
        waits = Cat(
            (count - wait)[LAG_BITS - 1]
            for count, wait in zip(self._started, self.move.waits, strict=True)
        ).any()
        return Mux(
            ~self.move.is_one_of(*opcodes(self._unit.multiplies)),
            Error.OPCODE,
            Mux(others, Error.FIELD, Mux(waits, Error.WAIT, Error.NONE)),
        )

    def waits(self) -> Value:
        """What must have ended, as many behind what was started as its low bits say."""
        pairs = zip(self._started, self.move.waits, strict=True)
        return Cat((count - (count - wait)[:LAG_BITS])[:EVENT_BITS] for count, wait in pairs)

    def taps(self) -> tuple[Value, Value]:
        """Rows and columns of a patch."""
        return self.patches.kernel_height, self.patches.kernel_width

    def stream_factors(self, taps: Value) -> tuple[Value, Value]:
        """What the length of the stream is a product of: of a column or a channel word, and how
        many there are.
        """
        unit, p = self._unit, self.patches
        steps = unit.k_per_cycle
        of_word = ((self.patches.weights(taps) + 1 >> 1) + WORDS_PER_COLUMN) * steps
        of_column = unit.column_beats + self._weight_beats()
        is_matrix = self.opcode == Opcode.MATRIX
        return Mux(is_matrix, of_column, of_word), Mux(is_matrix, p.tiles_n, p.out_words)

    def _weight_beats(self) -> Value:
        """Beats of the weights of a column of tiles."""
        unit, depth = self._unit, self.patches.depth
        if unit.slices_per_beat == 1:
            return depth * unit.beats_per_slice
        return (depth + unit.slices_per_beat - 1) >> exact_log2(unit.slices_per_beat)

    def stream_words(self, product: Value) -> Value:
        """Words of 32 bits of a stream, where it is of a vector operation or a table."""
        return Mux(self.opcode == Opcode.TABLE, TABLE_BYTES // 4, product)

    def sizes(self, taps: Value, depth: Value, product: Value) -> Value:
        """The error of sizes and addresses."""
        return Mux(
            self.move.is_one_of(Opcode.LOAD, Opcode.STORE),
            self._of_move(),
            Mux(
                self.opcode == Opcode.TABLE,
                self._of_table(),
                Mux(self.opcode == Opcode.END, Error.NONE, self._of_patches(taps, depth, product)),
            ),
        )

    def _of_move(self) -> Value:
        reader, move = self._reader, self.move
        shape = self._unit.scratchpad
        line_bytes = shape.line_bits // 8
        is_load = self.opcode == Opcode.LOAD
        size = Mux(is_load, reader.reads_size, reader.writes_size)
        too_many = move.lines > shape.lines
        wrong = (move.lines == 0) | too_many
        cut = _is_no_multiple(move.address, line_bytes)
        outside = move.address + move.lines * line_bytes > size
        if self._encoding:
            beat_bytes = self._unit.bus.beat_bytes
            own_cut = _is_no_multiple(move.address, beat_bytes)
            own_cut |= _is_no_multiple(move.lines, self._encoding.lines)
            own_bytes = self._encoding.beats(move.lines) * beat_bytes
            cut = Mux(move.encoded, own_cut, cut)
            outside = Mux(move.encoded, move.address + own_bytes > size, outside)
        wrong |= cut
        error = Mux(is_load, Error.READ, Error.WRITE)
        return Mux(wrong, Error.FIELD, Mux(outside, error, Error.NONE))

    def _of_table(self) -> Value:
        address = self.patches.address
        wrong = _is_no_multiple(address, self._unit.bus.beat_bytes)
        outside = address + TABLE_BYTES > self._reader.reads_size
        return Mux(wrong, Error.FIELD, Mux(outside, Error.READ, Error.NONE))

    def _of_patches(self, taps: Value, depth: Value, product: Value) -> Value:
        unit, p = self._unit, self.patches
        beat_bytes = unit.bus.beat_bytes
        sizes = (
            *(p.in_words, p.in_height, p.in_width, p.kernel_height, p.kernel_width),
            *(p.stride_y, p.stride_x, p.dilation_y, p.dilation_x),
            *(p.out_words, p.out_width, p.tiles_m, p.pixels),
        )
        no_size = Cat(size == 0 for size in sizes).any()
        words = unit.engine.cols // unit.k_per_cycle
        words_of_tiles = p.tiles_n * words
        matrix_fits = (
            (p.depth == depth)
            & (p.depth <= unit.engine.weight_depth)
            & (p.out_words <= words_of_tiles)
            & (words_of_tiles - p.out_words < words)
        )
        of_two = self.move.is_one_of(Opcode.COMBINE, Opcode.PRODUCT)
        own_weights = (self.opcode == Opcode.SUM) & ~p.uniform
        vector_fits = Mux(of_two, taps == 1, ~own_weights | (taps <= MOST_WEIGHTS))
        is_matrix = self.opcode == Opcode.MATRIX
        fits = Mux(is_matrix, matrix_fits, vector_fits)
        beats = Mux(is_matrix, product, (product * 4 + beat_bytes - 1) >> exact_log2(beat_bytes))
        wrong = no_size | (p.first_column >= p.out_width) | ~fits | (p.beats != beats)
        wrong |= _is_no_multiple(p.address, beat_bytes) | (p.sums & (p.out_words > MOST_SUM_WORDS))
        outside = p.address + p.beats * beat_bytes > self._reader.reads_size
        return Mux(wrong, Error.FIELD, Mux(outside, Error.READ, Error.NONE))


def _is_no_multiple(address: Value, size: int) -> Value:
    """Of a power of two."""
    return address[: (size - 1).bit_length()].any() if size > 1 else address[:0].any()
