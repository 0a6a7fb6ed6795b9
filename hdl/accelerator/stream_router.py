"""Parameters and weights from memory, to what takes them."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib.wiring import In, Out

from hdl.accelerator.accelerator_unit import AcceleratorUnit
from hdl.accelerator.layouts import STREAM, StreamKind
from hdl.engine.column_parameters import WORDS_PER_COLUMN
from hdl.placement import Component

WORD_BITS = 32


class StreamRouter(Component):
    """Takes streams as :data:`STREAM` says, one after the other, and gives their words and slices.

    Words and slices leave in the cycle in which their last beat is offered, one per cycle; a beat
    is taken with its last one, and what fills it up is dropped.

    Parameters
    ----------
    unit : AcceleratorUnit
    weight_bits : int
        Of a slice as the machine takes it.

    Members
    -------
    stream_valid : In(1)
        There is a stream.
    stream_ready : Out(1)
        Its last beat is taken.
    stream : In(STREAM)
        What it is.
    in_valid : In(1), in_ready : Out(1), in_data : In(data_bits)
        Its beats.
    parameters_valid, vector_valid, table_valid : Out(1)
        A word is offered to a column of the machine, to the vector unit, to the tables.
    parameters_ready, vector_ready, table_ready : In(1)
        It is taken.
    words_data : Out(32)
        The word.
    weights_valid : Out(1)
        A slice of weights is offered.
    weights_ready : In(1)
        It is taken.
    weights_data : Out(weight_bits)
        The slice.
    """

    def __init__(self, unit: AcceleratorUnit, weight_bits: int):
        self.unit = unit
        self.weight_bits = weight_bits
        super().__init__(
            {
                "stream_valid": In(1),
                "stream_ready": Out(1),
                "stream": In(STREAM),
                "in_valid": In(1),
                "in_ready": Out(1),
                "in_data": In(unit.bus.data_bits),
                "parameters_valid": Out(1),
                "parameters_ready": In(1),
                "vector_valid": Out(1),
                "vector_ready": In(1),
                "table_valid": Out(1),
                "table_ready": In(1),
                "words_data": Out(WORD_BITS),
                "weights_valid": Out(1),
                "weights_ready": In(1),
                "weights_data": Out(weight_bits),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        beat_bits = self.unit.bus.data_bits
        columns = self.unit.engine.cols
        is_matrix = self.stream.kind == StreamKind.MATRIX

        # Words of 32 bits, or slices: so many of each in a part, and which one is next.
        in_weights = Signal()
        index = Signal(32)
        column = Signal(16)
        count = Mux(
            is_matrix,
            Mux(in_weights, self.stream.depth, columns * WORDS_PER_COLUMN),
            self.stream.words,
        )
        ends_part = index + 1 == count
        ends_stream = ends_part & (~is_matrix | (in_weights & (column + 1 == self.stream.tiles_n)))
        is_word = ~(is_matrix & in_weights)

        # Some in a beat, or some beats of one.
        of_words, of_slices = beat_bits // WORD_BITS, self.unit.slices_per_beat
        place_in_beat = Signal(range(max(2, of_words, of_slices)))
        beats = self.unit.beats_per_slice
        beat = Signal(range(max(2, beats)))
        is_whole = Signal()
        held = Signal(beat_bits * (beats - 1), reset_less=True)
        m.d.comb += [
            is_whole.eq(is_word | (beat == beats - 1)),
            self.words_data.eq(
                self.in_data.word_select(place_in_beat, WORD_BITS) if of_words > 1 else self.in_data
            ),
            self.weights_data.eq(
                Cat(held, self.in_data)
                if of_slices == 1
                else self.in_data.word_select(place_in_beat, self.unit.slice_bits)
            ),
        ]

        # They go.
        offered = Signal()
        goes = Signal()
        kinds = {
            "parameters": is_matrix & ~in_weights,
            "weights": is_matrix & in_weights,
            "vector": self.stream.kind == StreamKind.VECTOR,
            "table": self.stream.kind == StreamKind.TABLE,
        }
        m.d.comb += [
            offered.eq(self.stream_valid & self.in_valid & is_whole),
            goes.eq(
                offered
                & Cat(own & getattr(self, f"{name}_ready") for name, own in kinds.items()).any()
            ),
            *(getattr(self, f"{name}_valid").eq(offered & own) for name, own in kinds.items()),
        ]
        ends_beat = ends_part | (place_in_beat == Mux(is_word, of_words, of_slices) - 1)
        gathers = self.stream_valid & self.in_valid & ~is_whole
        m.d.comb += [
            self.in_ready.eq((goes & ends_beat) | gathers),
            self.stream_ready.eq(goes & ends_stream),
        ]
        with m.If(gathers):
            m.d.sync += [
                beat.eq(beat + 1),
                held.eq(Cat(held, self.in_data)[beat_bits:]) if beats > 1 else [],
            ]
        with m.If(goes):
            m.d.sync += [
                beat.eq(0),
                index.eq(Mux(ends_part, 0, index + 1)),
                place_in_beat.eq(Mux(ends_beat, 0, place_in_beat + 1)),
            ]
            with m.If(ends_part & is_matrix):
                m.d.sync += in_weights.eq(~in_weights)
                with m.If(in_weights):
                    m.d.sync += column.eq(Mux(ends_stream, 0, column + 1))
        return m
