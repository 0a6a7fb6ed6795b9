"""Activations on chip: banks that are read and written side by side."""

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib.wiring import In, Out

from hdl.memory.scratchpad_bank import ScratchpadBank
from hdl.memory.scratchpad_shape import ScratchpadShape
from hdl.placement import Component, place


class Scratchpad(Component):
    """Banks of channel words; neighbouring pixels lie in neighbouring banks.

    One access to read and one to write per cycle. Those of more than one line take two: banks below
    a given one the high line, all others the low one. So pixels that begin in any bank can be read
    and written together, those that go on in bank 0 in another line.

    Of two that want the same port one wins, always the same one. To read, it is the line that is
    stored: it is read once for all its beats, so the computation waits for at most one cycle in as
    many, where the store could wait for the computation all along. To write, it is the results:
    they are never more than what is computed, while a load could take every cycle and keep the
    computation waiting. Whoever waits is waited for by nobody else here, so none waits forever.

    ``read_data`` is valid in the cycle after an access was taken, and in that one alone, as the
    next access may be another's. What is written is read by accesses from the next cycle on; one in
    the same cycle reads what was there before. What was never written is anything.

    Parameters
    ----------
    shape : ScratchpadShape

    Members
    -------
    patches_valid : In(1)
        A word of each bank is to be read.
    patches_ready : Out(1)
        It is, if it is to be.
    patches_low, patches_high : In(range(shape.lines))
        The lines.
    patches_high_banks : In(range(shape.banks))
        So many banks, from bank 0 on, are read in the high line.
    stores_valid : In(1)
        A line is to be read.
    stores_ready : Out(1)
        It is, if it is to be: always 1.
    stores_line : In(range(shape.lines))
        The line.
    read_data : Out(shape.line_bits)
        What the access of the cycle before read, bank 0 low.
    results_valid : In(1)
        Words of neighbouring pixels are to be written.
    results_ready : Out(1)
        They are, if they are to be: always 1.
    results_bank : In(range(shape.banks))
        The bank of the first one; bank 0 follows the last one.
    results_count : In(range(shape.rows + 1))
        How many.
    results_low, results_high : In(range(shape.lines))
        The lines; banks below ``results_bank`` take the high one.
    results_data : In(shape.rows * shape.word_bits)
        The words, the first one low; behind the last one anything.
    loads_valid : In(1)
        A beat is to be written.
    loads_ready : Out(1)
        It is, if it is to be.
    loads_line : In(range(shape.lines))
        The line that it is of.
    loads_beat : In(range(shape.beats_per_line))
        Which beat of that it is, the lowest bits first.
    loads_data : In(shape.beat_bits)
        The beat.
    """

    def __init__(self, shape: ScratchpadShape):
        self.shape = shape
        line = range(shape.lines)
        super().__init__(
            {
                "patches_valid": In(1),
                "patches_ready": Out(1),
                "patches_low": In(line),
                "patches_high": In(line),
                "patches_high_banks": In(range(shape.banks)),
                "stores_valid": In(1),
                "stores_ready": Out(1, init=1),
                "stores_line": In(line),
                "read_data": Out(shape.line_bits),
                "results_valid": In(1),
                "results_ready": Out(1, init=1),
                "results_bank": In(range(shape.banks)),
                "results_count": In(range(shape.rows + 1)),
                "results_low": In(line),
                "results_high": In(line),
                "results_data": In(shape.rows * shape.word_bits),
                "loads_valid": In(1),
                "loads_ready": Out(1),
                "loads_line": In(line),
                "loads_beat": In(range(shape.beats_per_line)),
                "loads_data": In(shape.beat_bits),
            }
        )

    @property
    def module_name(self) -> str:
        shape = self.shape
        return f"scratchpad_{shape.banks}_banks_of_{shape.word_bits}b_by_{shape.lines}"

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        shape = self.shape
        # A beat is some banks' words, or a part of one's.
        parts = max(1, shape.word_bits // shape.beat_bits)
        banks = [ScratchpadBank(shape.word_bits, shape.lines, parts) for _ in range(shape.banks)]
        for number, bank in enumerate(banks):
            place(m, platform, f"bank_{number}", bank)
        self._read(m, banks)
        self._write(m, banks, parts)
        return m

    def _read(self, m: Module, banks: Sequence[ScratchpadBank]) -> None:
        m.d.comb += [
            self.patches_ready.eq(~self.stores_valid),
            self.read_data.eq(Cat(bank.read_data for bank in banks)),
        ]
        for number, bank in enumerate(banks):
            line = Mux(self.patches_high_banks > number, self.patches_high, self.patches_low)
            m.d.comb += [
                bank.read.eq(self.patches_valid | self.stores_valid),
                bank.read_address.eq(Mux(self.stores_valid, self.stores_line, line)),
            ]

    def _write(self, m: Module, banks: Sequence[ScratchpadBank], parts: int) -> None:
        shape = self.shape
        # Of pixels the first one goes to its bank, the others around from there. A word comes to
        # its bank and to the one that lies half of all further on, but only one of them takes it.
        first = self.results_bank
        words = self.results_data
        valid = Cat(self.results_count > pixel for pixel in range(shape.rows))
        for stage in range(shape.rows.bit_length() - 1):
            words = _rotated(m, f"words_{stage}", words, first[stage], shape.word_bits << stage)
        valid = Cat(valid, Const(0, shape.rows))
        for stage in range(shape.banks.bit_length() - 1):
            valid = _rotated(m, f"valid_{stage}", valid, first[stage], 1 << stage)

        # The beat that is loaded goes to all, and those take it whose it is.
        units = shape.banks * parts
        loaded = Signal(units)
        bits_per_beat = units // shape.beats_per_line
        for beat in range(shape.beats_per_line):
            own = loaded[beat * bits_per_beat :][:bits_per_beat]
            m.d.comb += own.eq((self.loads_beat == beat).replicate(bits_per_beat))
        beats = self.loads_data.replicate(parts)

        m.d.comb += self.loads_ready.eq(~self.results_valid)
        for number, bank in enumerate(banks):
            with m.If(self.results_valid):
                line = Mux(first > number, self.results_high, self.results_low)
                m.d.comb += [
                    bank.write.eq(valid[number].replicate(parts)),
                    bank.write_address.eq(line),
                    bank.write_data.eq(
                        words[number % shape.rows * shape.word_bits :][: shape.word_bits]
                    ),
                ]
            with m.Elif(self.loads_valid):
                place_in_beat = number * shape.word_bits % shape.beat_bits
                m.d.comb += [
                    bank.write.eq(loaded[number * parts :][:parts]),
                    bank.write_address.eq(self.loads_line),
                    bank.write_data.eq(beats[place_in_beat:][: shape.word_bits]),
                ]


def _rotated(m: Module, name: str, value: Value, by: Value, bits: int) -> Signal:
    """``value`` with its highest ``bits`` as the lowest ones where ``by`` is 1."""
    rotated = Signal(len(value), name=name)
    m.d.comb += rotated.eq(Mux(by, Cat(value[-bits:], value[:-bits]), value))
    return rotated
