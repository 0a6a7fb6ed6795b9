"""What is done channel by channel, without the array: sums, products and maxima of taps."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data
from amaranth.lib.wiring import In, Out

from golden.format import ACTIVATION_BITS
from hdl.accelerator.layouts import (
    MARKS,
    PIXELS,
    PLACE,
    VECTOR,
    VECTOR_LOAD,
    WEIGHT_BITS,
    WORD_BITS,
)
from hdl.accelerator.vector_lane import OPERAND_BITS, VectorLane
from hdl.accelerator.vector_parameters import VectorParameters
from hdl.engine.column_parameters import COLUMN_PARAMETERS, PARAMETER_WORD_BITS
from hdl.engine.output_stage import BYTES_PER_SUM
from hdl.engine.requantizer_lane import SUM_BITS, RequantizerLane
from hdl.placement import Component, place


class VectorUnit(Component):
    """Computes a channel word of a tile from its slices, and gives it requantized or as int32.

    Each of ``rows * steps`` lanes has one pixel and one channel. It takes a byte of each slice, and
    adds up its products with weights of 16 bits, or multiplies that of the first one by that of the
    second, or keeps the largest, as :data:`VECTOR` says. The sum, an int32 that wraps, plus the
    bias of the channel is requantized as :class:`RequantizerLane` says, by one lane for each row,
    channel after channel. A word leaves for each tile: its bytes; or with ``sums`` four words, the
    int32 of its channels little-endian, which count as channel words of their own.

    A slice is taken in every cycle once the set of its pass has loaded, if words leave in time. The
    word of a tile is offered ``steps`` + 5 cycles after its last slice was taken, the first one of
    int32 ``max(1, steps // 4)`` + 5. From one word, or the first of four, to that of the next tile
    it takes as many cycles as the tile has slices, or more: ``steps`` at least, with ``sums`` 4 at
    least; and from one pass to the next ``steps`` + 1 at least, with ``sums`` no less than 5 where
    ``steps`` is 4.

    Parameters
    ----------
    rows : int
        Pixels.
    steps : int, a power of two
        Channels of a word.
    taps : int, even
        Weights of a channel that there may be.
    multiplies : bool
        Otherwise only the lowest bit of a weight counts, and there is no ``product``.

    Members
    -------
    load_valid : In(1), load_ready : Out(1), load : In(VECTOR_LOAD)
    words_valid : In(1), words_ready : Out(1), words_data : In(32)
        Of :class:`VectorParameters`. What the next command needs may load before it is there.
    command_valid : In(1)
        There is a command. Otherwise no slice is taken.
    command_ready : Out(1)
        Its last word leaves. Until then no slice behind its last one is taken.
    command : In(VECTOR)
        What is done.
    tile_valid : In(1)
        The output pixels of a tile are offered; its words leave only then.
    tile_ready : Out(1)
        Its last word leaves.
    tile : In(PIXELS)
        The output pixels.
    slice_valid : In(1)
        A slice is offered.
    slice_ready : Out(1)
        A slice that is offered is taken; this does not depend on ``slice_valid``.
    slice_data : In(rows * steps * 8)
        The slice, pixel 0 low; of each pixel channel 0 low.
    slice_marks : In(MARKS)
        What it is.
    out_valid : Out(1)
        A word is offered, until it is taken.
    out_ready : In(1)
        A word that is offered is taken.
    out_data : Out(rows * steps * 8)
        The word, as a slice.
    out_place : Out(PLACE)
        Where it belongs.
    """

    def __init__(self, rows: int, steps: int, taps: int = 256, multiplies: bool = True):
        self.multiplies = multiplies
        self.rows = rows
        self.steps = steps
        self.taps = taps
        width = rows * steps * ACTIVATION_BITS
        super().__init__(
            {
                "load_valid": In(1),
                "load_ready": Out(1),
                "load": In(VECTOR_LOAD),
                "words_valid": In(1),
                "words_ready": Out(1),
                "words_data": In(PARAMETER_WORD_BITS),
                "command_valid": In(1),
                "command_ready": Out(1),
                "command": In(VECTOR),
                "tile_valid": In(1),
                "tile_ready": Out(1),
                "tile": In(PIXELS),
                "slice_valid": In(1),
                "slice_ready": Out(1),
                "slice_data": In(width),
                "slice_marks": In(MARKS),
                "out_valid": Out(1),
                "out_ready": In(1),
                "out_data": Out(width),
                "out_place": Out(PLACE),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        command, marks, steps = self.command, self.slice_marks, self.steps

        # Weights and parameters come beforehand.
        parameters = VectorParameters(steps, self.taps)
        place(m, platform, "vector_parameters", parameters)
        m.d.comb += [
            parameters.load_valid.eq(self.load_valid),
            parameters.load.eq(self.load),
            self.load_ready.eq(parameters.load_ready),
            parameters.in_valid.eq(self.words_valid),
            parameters.in_data.eq(self.words_data),
            self.words_ready.eq(parameters.in_ready),
        ]

        # A slice is taken with its weights.
        executes = Signal()
        taken = Signal()
        is_over = Signal()
        is_first = Signal(init=1)
        tap = Signal(range(self.taps))
        operands_valid = Signal()
        operands = Signal(self.rows * steps * OPERAND_BITS, reset_less=True)
        first, ends_tile, ends_pass = (
            Signal(name=f"operands_{name}", reset_less=True)
            for name in ("first", "end_tile", "end_pass")
        )
        zero = Mux(command.product, Mux(marks.operand_b, command.zero_b, command.zero_a), 0)
        m.d.comb += [
            self.slice_ready.eq(
                self.command_valid & ~is_over & parameters.full & (~operands_valid | executes)
            ),
            taken.eq(self.slice_valid & self.slice_ready),
            parameters.tap.eq(Mux(command.uniform, 0, tap)),
            parameters.read.eq(taken),
            parameters.free_bank.eq(taken & marks.ends_pass),
        ]
        with m.If(executes):
            m.d.sync += operands_valid.eq(0)
        with m.If(self.command_ready):
            m.d.sync += is_over.eq(0)
        with m.If(taken):
            m.d.sync += [
                operands_valid.eq(1),
                operands.eq(
                    Cat(
                        (self.slice_data.word_select(index, ACTIVATION_BITS) - zero)[:OPERAND_BITS]
                        for index in range(self.rows * steps)
                    )
                ),
                first.eq(is_first),
                ends_tile.eq(marks.ends_tile),
                ends_pass.eq(marks.ends_pass),
                is_first.eq(marks.ends_tile),
                tap.eq(Mux(marks.ends_tile, 0, tap + 1)),
            ]
            with m.If(marks.ends_walk):
                m.d.sync += is_over.eq(1)

        # Sums are complete with the last slice of a tile, and wait until they are fetched.
        sums_valid = Signal()
        sums_end_pass = Signal(reset_less=True)
        fetched = Signal()
        m.d.comb += executes.eq(operands_valid & (~sums_valid | fetched))
        with m.If(fetched):
            m.d.sync += sums_valid.eq(0)
        with m.If(executes):
            m.d.sync += [sums_valid.eq(ends_tile), sums_end_pass.eq(ends_pass)]
        sums = []
        for row in range(self.rows):
            of_row = []
            for channel in range(steps):
                lane = VectorLane(self.multiplies)
                place(m, platform, f"lane_{row}_{channel}", lane)
                operand = operands.word_select(row * steps + channel, OPERAND_BITS)
                weight = parameters.weights.word_select(channel, WEIGHT_BITS)
                m.d.comb += [
                    lane.enable.eq(executes),
                    lane.first.eq(first),
                    lane.product.eq(command.product),
                    lane.maximum.eq(command.maximum),
                    lane.operand.eq(operand),
                    lane.weight.eq(weight),
                ]
                of_row.append(lane.sum)
            sums.append(of_row)

        # They are requantized channel after channel; those behind the first one wait.
        # Int32 that fill several words come as fast as these leave.
        parts = max(1, BYTES_PER_SUM // steps)
        pause = Signal(range(parts))
        moves = Signal()
        feeds = Signal()
        has_parameters = Signal()
        channel = Signal(range(steps))
        rest_end_pass = Signal(reset_less=True)
        is_start = channel == 0
        is_end = channel == steps - 1
        releases = Signal()
        m.d.comb += [
            feeds.eq(moves & (pause == 0) & has_parameters & (sums_valid | ~is_start)),
            fetched.eq(feeds & is_start),
            releases.eq(feeds & is_end & Mux(is_start, sums_end_pass, rest_end_pass)),
            parameters.parameters_release.eq(releases),
            parameters.parameters_read.eq(
                parameters.parameters_full & (~has_parameters | (feeds & ~releases))
            ),
            parameters.parameters_part.eq(Mux(feeds & ~is_end, channel + 1, 0)),
        ]
        with m.If(moves & (pause != 0)):
            m.d.sync += pause.eq(pause - 1)
        with m.If(feeds):
            m.d.sync += [
                channel.eq(Mux(is_end, 0, channel + 1)),
                pause.eq(Mux(command.sums, parts - 1, 0)),
            ]
        with m.If(fetched):
            m.d.sync += rest_end_pass.eq(sums_end_pass)
        with m.If(releases):
            m.d.sync += has_parameters.eq(0)
        with m.Elif(parameters.parameters_read):
            m.d.sync += has_parameters.eq(1)
        own = data.View(COLUMN_PARAMETERS, parameters.parameters)
        valid = Signal(RequantizerLane.latency)
        with m.If(moves):
            m.d.sync += valid.eq(Cat(feeds, valid))
        lanes = []
        for row, (at_first, *others) in enumerate(sums):
            rest = Signal(len(others) * SUM_BITS, name=f"rest_{row}", reset_less=True)
            with m.If(fetched):
                m.d.sync += rest.eq(Cat(others))
            with m.Elif(feeds):
                m.d.sync += rest[:-SUM_BITS].eq(rest[SUM_BITS:])
            lane = RequantizerLane()
            place(m, platform, f"requantizer_{row}", lane)
            m.d.comb += [
                lane.enable.eq(moves),
                lane.sum.eq(Mux(is_start, at_first.as_unsigned(), rest[:SUM_BITS])),
                lane.bias.eq(own.bias.as_signed()),
                lane.multiplier.eq(own.multiplier),
                lane.shift.eq(own.shift),
                lane.zero_point.eq(own.zero_point),
                lane.low.eq(own.low),
                lane.high.eq(own.high),
            ]
            lanes.append(lane)

        # Bytes wait until there is one of each channel; int32 until they fill a word, or the other
        # way round, what is left of them until it has left.
        place_of_byte = Signal(range(steps))
        part = Signal(range(parts))
        sums_of_word = max(1, steps // BYTES_PER_SUM)
        completes_sums = (place_of_byte + 1)[: (sums_of_word - 1).bit_length()] == 0
        completes = Signal()
        offers = Signal()
        leaves = Signal()
        m.d.comb += [
            completes.eq(Mux(command.sums, completes_sums, place_of_byte == steps - 1)),
            offers.eq((valid[-1] & completes) | (part != 0)),
            self.out_valid.eq(offers & self.tile_valid),
            leaves.eq(self.out_valid & self.out_ready),
            moves.eq(~offers | leaves),
        ]
        with m.If(moves & valid[-1]):
            m.d.sync += place_of_byte.eq(Mux(place_of_byte == steps - 1, 0, place_of_byte + 1))
        width = steps * ACTIVATION_BITS
        bytes_before = width - ACTIVATION_BITS
        waiting_bits = max(bytes_before, SUM_BITS - width)
        words = []
        for row, lane in enumerate(lanes):
            waiting = Signal(waiting_bits, name=f"waiting_{row}", reset_less=True)
            before = waiting[waiting_bits - bytes_before :]
            as_bytes = Cat(before, lane.activation)
            next_bytes = Cat(waiting, lane.activation)[ACTIVATION_BITS:]
            if parts > 1:
                left = Mux(part == 0, lane.biased.as_unsigned(), waiting)
                as_sums, next_sums = left[:width], left[width:]
            else:
                collected = Cat(before, lane.biased)
                as_sums, next_sums = collected[-width:], collected[SUM_BITS:]
            with m.If(moves & (valid[-1] | (part != 0))):
                m.d.sync += waiting.eq(Mux(command.sums, next_sums, next_bytes))
            words.append(Mux(command.sums, as_sums, as_bytes))

        # Words leave, one for each tile and pass, or four.
        word = Signal(range(BYTES_PER_SUM))
        first_of_pass = Signal(WORD_BITS)
        ends = Signal()
        m.d.comb += [
            self.out_data.eq(Cat(words)),
            ends.eq(~command.sums | word.all()),
            self.out_place.pixel.eq(self.tile.pixel),
            self.out_place.count.eq(self.tile.count),
            self.out_place.channel.eq(first_of_pass + word),
            self.out_place.last.eq(self.tile.ends_walk & ends),
            self.tile_ready.eq(leaves & ends),
            self.command_ready.eq(self.tile_ready & self.tile.ends_walk),
        ]
        with m.If(leaves & command.sums):
            m.d.sync += [word.eq(word + 1), part.eq(Mux(part == parts - 1, 0, part + 1))]
        with m.If(self.tile_ready & self.tile.ends_pass):
            count = Mux(command.sums, BYTES_PER_SUM, 1)
            m.d.sync += first_of_pass.eq(Mux(self.tile.ends_walk, 0, first_of_pass + count))
        return m
