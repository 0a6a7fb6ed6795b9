"""From rows of sums to the words of the output stream."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data
from amaranth.lib.wiring import In, Out

from golden.format import SparqFormat
from hdl.engine.column_combiner import ColumnCombiner
from hdl.engine.column_parameters import COLUMN_PARAMETERS
from hdl.engine.requantizer_lane import RequantizerLane
from hdl.engine.result_encoder import ResultEncoder
from hdl.engine.tile_walk import TILE
from hdl.placement import Component, place
from hdl.stream.gearbox import Gearbox

SUM_BITS = 32
BYTES_PER_SUM = SUM_BITS // 8


class OutputStage(Component):
    """Adds biases to sums and requantizes them, ``lanes`` columns at a time.

    A word of the output has a byte for each lane. A row leaves as its bytes, column 0 first, or as
    its sums with their biases, int32 little-endian, which takes four times as many words. With a
    format it can also leave as stored pairs of columns side by side, which follow each other
    without gaps through a command, in the order of its rows; the last word is filled with zeros.

    Latency: 1 + ``RequantizerLane.latency`` cycles from a row to its first word, one more with a
    format; of stored pairs more, until a word is full.

    Where columns combine, the sum of every second one is first combined with that of the column to
    its left, as its parameter ``combine`` says (:class:`ColumnCombiner`). The left one leaves as
    ever.

    Parameters
    ----------
    rows, cols : int
    lanes : int
        A divisor of ``cols``.
    acc_bits : int, up to 32
    fmt : SparqFormat, optional
        Of stored pairs, which take fewer bits than two bytes; ``lanes`` is then a multiple of 2 and
        of its group.
    points : int, optional
        Of a weight, 2: columns combine; ``lanes`` is then a multiple of 2, ``acc_bits`` at most 24.

    Members
    -------
    rows_valid : In(1)
        A row of sums is offered.
    rows_ready : Out(1)
        Its last columns are taken.
    sums : In(cols * acc_bits)
        The row, column 0 low; the sums are signed.
    tile : In(TILE)
        What its tile is; there whenever a row of it is.
    finished : Out(1)
        The last row of a tile is taken: what comes next is of the next tile.
    parameters_full : In(1), parameters_part : Out(range(cols // lanes)), parameters_read : Out(1)
    parameters_release : Out(1), parameters : In(lanes * 96)
        Of a :class:`ParameterBuffer`.
    out_valid : Out(1)
        A word is offered, until it is taken.
    out_ready : In(1)
        A word that is offered is taken.
    out_data : Out(lanes * 8)
        The word, the lowest column low.
    out_last : Out(1)
        The word is the last one of its command.
    """

    def __init__(
        self,
        rows: int,
        cols: int,
        lanes: int,
        acc_bits: int,
        fmt: SparqFormat | None = None,
        points: int | None = None,
    ):
        self.rows = rows
        self.cols = cols
        self.lanes = lanes
        self.acc_bits = acc_bits
        self.fmt = fmt
        self.points = points
        self.parts = cols // lanes
        super().__init__(
            {
                "rows_valid": In(1),
                "rows_ready": Out(1),
                "sums": In(cols * acc_bits),
                "tile": In(TILE),
                "finished": Out(1),
                "parameters_full": In(1),
                "parameters_part": Out(range(self.parts)),
                "parameters_read": Out(1),
                "parameters_release": Out(1),
                "parameters": In(lanes * COLUMN_PARAMETERS.size),
                "out_valid": Out(1),
                "out_ready": In(1),
                "out_data": Out(lanes * 8),
                "out_last": Out(1),
            }
        )

    @property
    def latency(self) -> int:
        """Cycles from a row to its first word."""
        return 1 + RequantizerLane.latency + (self.fmt is not None)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        tile = self.tile
        advance = Signal()

        # Some columns of a row are read in each cycle, and their parameters.
        row = Signal(range(self.rows))
        part = Signal(range(self.parts))
        reads = Signal()
        ends_row = part == self.parts - 1
        ends_tile = ends_row & (row == self.rows - 1)
        m.d.comb += [
            reads.eq(advance & self.rows_valid & self.parameters_full),
            self.parameters_part.eq(part),
            self.parameters_read.eq(reads),
            self.rows_ready.eq(reads & ends_row),
            self.finished.eq(reads & ends_tile),
            self.parameters_release.eq(self.finished & tile.ends_column),
        ]
        sums = Signal(self.lanes * self.acc_bits, name="read_sums", reset_less=True)
        with m.If(reads):
            m.d.sync += [
                sums.eq(self.sums.word_select(part, self.lanes * self.acc_bits)),
                part.eq(Mux(ends_row, 0, part + 1)),
            ]
            with m.If(ends_row):
                m.d.sync += row.eq(Mux(row == self.rows - 1, 0, row + 1))

        # What belongs to them goes with them.
        valid = Signal(self.latency)
        as_sums = Signal(self.latency, reset_less=True)
        is_last = Signal(self.latency, reset_less=True)
        with m.If(advance):
            m.d.sync += [
                valid.eq(Cat(reads, valid)),
                as_sums.eq(Cat(tile.sums, as_sums)),
                is_last.eq(Cat(ends_tile & tile.ends_command, is_last)),
            ]

        # Combine, bias and requantize.
        biased, bytes_ = [], []
        read = [sums.word_select(lane, self.acc_bits).as_signed() for lane in range(self.lanes)]
        for index, own_sum in enumerate(read):
            own = data.View(
                COLUMN_PARAMETERS, self.parameters.word_select(index, COLUMN_PARAMETERS.size)
            )
            total: Value = own_sum
            if self.points and index % self.points:
                combiner = ColumnCombiner(self.acc_bits)
                place(m, platform, f"combiner_{index}", combiner)
                m.d.comb += [
                    combiner.left.eq(read[index - 1]),
                    combiner.own.eq(own_sum),
                    combiner.shift.eq(own.combine),
                ]
                total = combiner.sum
            lane = RequantizerLane()
            place(m, platform, f"lane_{index}", lane)
            m.d.comb += [
                lane.enable.eq(advance),
                lane.sum.eq(total),
                lane.bias.eq(own.bias.as_signed()),
                lane.multiplier.eq(own.multiplier),
                lane.shift.eq(own.shift),
                lane.zero_point.eq(own.zero_point),
                lane.low.eq(own.low),
                lane.high.eq(own.high),
            ]
            biased.append(lane.biased.as_unsigned())
            bytes_.append(lane.activation)

        # Give bytes as one word, sums as several, pairs when they fill one.
        word = Signal(range(BYTES_PER_SUM))
        ends_sums = word == BYTES_PER_SUM - 1
        gives_sums = as_sums[-1]
        ends = ~gives_sums | ends_sums
        bits = len(self.out_data)
        if self.fmt is None:
            m.d.comb += [
                self.out_valid.eq(valid[-1]),
                self.out_data.eq(Mux(gives_sums, Cat(biased).word_select(word, bits), Cat(bytes_))),
                self.out_last.eq(is_last[-1] & ends),
                advance.eq(~self.out_valid | (self.out_ready & ends)),
            ]
        else:
            # They are encoded in a stage of their own.
            as_pairs = Signal(self.latency, reset_less=True)
            whole = Signal(len(Cat(biased)), name="whole", reset_less=True)
            given = self._given(m, platform, as_sums[-2], Cat(biased), as_pairs[-2], Cat(bytes_))
            with m.If(advance):
                m.d.sync += [as_pairs.eq(Cat(tile.encoded, as_pairs)), whole.eq(given)]
            gives_pairs = as_pairs[-1]
            gearbox = Gearbox(self.lanes // 2 * self.fmt.stored_pair_bits, bits)
            place(m, platform, "gearbox", gearbox)
            m.d.comb += [
                gearbox.in_valid.eq(valid[-1] & gives_pairs),
                gearbox.in_data.eq(whole),
                gearbox.in_last.eq(is_last[-1]),
                gearbox.out_ready.eq(self.out_ready),
                self.out_valid.eq(Mux(gives_pairs, gearbox.out_valid, valid[-1])),
                self.out_data.eq(Mux(gives_pairs, gearbox.out_data, whole.word_select(word, bits))),
                self.out_last.eq(Mux(gives_pairs, gearbox.out_last, is_last[-1] & ends)),
                advance.eq(~valid[-1] | Mux(gives_pairs, gearbox.in_ready, self.out_ready & ends)),
            ]
        with m.If(self.out_valid & self.out_ready & gives_sums):
            m.d.sync += word.eq(word + 1)
        return m

    def _given(
        self, m: Module, platform: Any, as_sums: Value, sums: Value, as_pairs: Value, bytes_: Value
    ) -> Value:
        """Sums, or in the low bits stored pairs or bytes; what is above does not count."""
        assert self.fmt is not None
        encoder = ResultEncoder(self.fmt, self.lanes)
        place(m, platform, "encoder", encoder)
        m.d.comb += encoder.results.eq(bytes_)
        count = len(encoder.pairs)
        low = Cat(Mux(as_pairs, encoder.pairs, bytes_[:count]), bytes_[count:])
        return Cat(Mux(as_sums, sums[: len(low)], low), sums[len(low) :])
