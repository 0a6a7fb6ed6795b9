"""Parameters and weights of one pass are used while those of the next one load."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hdl.accelerator.layouts import VECTOR_LOAD, WEIGHT_BITS, WORD_BITS
from hdl.engine.column_parameters import (
    COLUMN_PARAMETERS,
    PARAMETER_WORD_BITS,
    WORDS_PER_COLUMN,
)
from hdl.engine.parameter_buffer import ParameterBuffer
from hdl.placement import Component, place

WEIGHTS_PER_WORD = PARAMETER_WORD_BITS // WEIGHT_BITS


class VectorParameters(Component):
    """Two banks, each with the parameters and the weights of the channels of one pass.

    They come word by word, channel by channel: three words of :data:`COLUMN_PARAMETERS`, then the
    weights, two in a word, the first of them low. A set is ``steps * (3 + ceil(weights / 2))``
    words, and takes as many cycles. Its weights can be read from the cycle after its last word on.

    Parameters
    ----------
    steps : int
        Channels.
    taps : int, even
        Weights of a channel that a bank holds; a layer's must not be more.

    Members
    -------
    load_valid : In(1)
        There is a layer whose words come.
    load_ready : Out(1)
        Its last word is taken.
    load : In(VECTOR_LOAD)
        What it has.
    in_valid : In(1)
        A word is offered.
    in_ready : Out(1)
        A word that is offered is taken.
    in_data : In(32)
        The word.
    full : Out(1)
        The bank to be read is full; otherwise nothing must be read.
    tap : In(range(taps))
        Which weights are read.
    read : In(1)
        They are given in the next cycle, until the next read.
    free_bank : In(1)
        The bank's weights are free after this cycle; those of the other one are to be read next.
    weights : Out(steps * 16)
        The weight of each channel, signed, the lowest channel low.
    parameters_full : Out(1), parameters_part : In(range(steps)), parameters_read : In(1)
    parameters_release : In(1), parameters : Out(96)
        Of a :class:`ParameterBuffer`, one channel at a time.
    """

    def __init__(self, steps: int, taps: int):
        self.steps = steps
        self.taps = taps
        super().__init__(
            {
                "load_valid": In(1),
                "load_ready": Out(1),
                "load": In(VECTOR_LOAD),
                "in_valid": In(1),
                "in_ready": Out(1),
                "in_data": In(PARAMETER_WORD_BITS),
                "full": Out(1),
                "tap": In(range(taps)),
                "read": In(1),
                "free_bank": In(1),
                "weights": Out(steps * WEIGHT_BITS),
                "parameters_full": Out(1),
                "parameters_part": In(range(steps)),
                "parameters_read": In(1),
                "parameters_release": In(1),
                "parameters": Out(COLUMN_PARAMETERS.size),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        depth = self.taps // WEIGHTS_PER_WORD
        m.submodules.memory = memory = Memory(
            shape=self.steps * PARAMETER_WORD_BITS, depth=2 * depth, init=[]
        )
        parameters = ParameterBuffer(self.steps, 1)
        place(m, platform, "parameter_buffer", parameters)
        is_full = Signal(2)
        filled = Signal(2)
        freed = Signal(2)
        m.d.sync += is_full.eq(is_full & ~freed | filled)

        # Load a bank that is free: of each channel the parameters, and then the weights.
        loaded_bank = Signal()
        channel = Signal(range(self.steps))
        word = Signal(WORD_BITS)
        number = Signal(WORD_BITS)
        taken = Signal()
        is_parameter = word < WORDS_PER_COLUMN
        weight_words = (self.load.weights + 1) >> 1
        ends_channel = word + 1 == WORDS_PER_COLUMN + weight_words
        ends_set = ends_channel & (channel == self.steps - 1)
        ends_load = ends_set & (number + 1 == self.load.passes)
        write = memory.write_port(granularity=PARAMETER_WORD_BITS)
        address = (word - WORDS_PER_COLUMN)[: len(write.addr) - 1]
        m.d.comb += [
            self.in_ready.eq(
                self.load_valid
                & ~is_full.bit_select(loaded_bank, 1)
                & (~is_parameter | parameters.in_ready)
            ),
            taken.eq(self.in_valid & self.in_ready),
            self.load_ready.eq(taken & ends_load),
            parameters.in_valid.eq(taken & is_parameter),
            parameters.in_data.eq(self.in_data),
            write.addr.eq(address + Mux(loaded_bank, depth, 0)),
            write.data.eq(self.in_data.replicate(self.steps)),
        ]
        with m.If(taken):
            m.d.comb += write.en.bit_select(channel, 1).eq(~is_parameter)
            m.d.sync += word.eq(word + 1)
            with m.If(ends_channel):
                m.d.sync += [word.eq(0), channel.eq(channel + 1)]
            with m.If(ends_set):
                m.d.comb += filled.bit_select(loaded_bank, 1).eq(1)
                m.d.sync += [channel.eq(0), loaded_bank.eq(~loaded_bank), number.eq(number + 1)]
            with m.If(ends_load):
                m.d.sync += number.eq(0)

        # Read weights of the other one.
        read_bank = Signal()
        half = Signal(range(WEIGHTS_PER_WORD))
        read = memory.read_port()
        m.d.comb += [
            self.full.eq(is_full.bit_select(read_bank, 1)),
            read.addr.eq((self.tap >> 1) + Mux(read_bank, depth, 0)),
            read.en.eq(self.read),
            self.weights.eq(
                Cat(
                    read.data.word_select(index, PARAMETER_WORD_BITS).word_select(half, WEIGHT_BITS)
                    for index in range(self.steps)
                )
            ),
        ]
        with m.If(self.read):
            m.d.sync += half.eq(self.tap)
        with m.If(self.free_bank):
            m.d.comb += freed.bit_select(read_bank, 1).eq(1)
            m.d.sync += read_bank.eq(~read_bank)

        # And parameters, which are needed longer.
        m.d.comb += [
            self.parameters_full.eq(parameters.full),
            parameters.part.eq(self.parameters_part),
            parameters.read.eq(self.parameters_read),
            parameters.free_bank.eq(self.parameters_release),
            self.parameters.eq(parameters.parameters),
        ]
        return m
