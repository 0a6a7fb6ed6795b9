"""Where results are written."""

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from golden.format import ACTIVATION_BITS
from hdl.accelerator.layouts import COUNT_BITS, LINE_BITS, PLACE
from hdl.placement import Component


class ResultWriter(Component):
    """Turns each word of results into one access that writes it into the banks of a tensor.

    Pixel ``pixel + i`` of a word is lane i: it goes to bank ``(pixel + i) % banks``. Those that are
    not beyond the last bank are written to the line ``write_low``, those that go around to
    ``write_high``. Latency: 1 cycle; an access per cycle, as long as they are taken.

    Parameters
    ----------
    rows : int, a power of two from 2 to 64
        Lanes; there are twice as many banks.
    steps : int
        Bytes of a channel word.
    lines : int, a power of two up to 65536
        Lines of a bank.

    Members
    -------
    base, pitch : In(16)
        Of the tensor; they stay until the access of its last word is taken.
    in_valid : In(1)
        A word is offered.
    in_ready : Out(1)
        A word that is offered is taken; this depends on ``write_ready`` in the same cycle.
    in_data : In(rows * steps * 8)
        The word, lane 0 low.
    in_place : In(PLACE)
        Where it belongs.
    write_valid : Out(1)
        An access is offered, until it is taken.
    write_ready : In(1)
        An access that is offered is taken.
    write_bank : Out(range(2 * rows))
        Of lane 0.
    write_count : Out(7)
        Lanes that are written, from lane 0 on.
    write_low, write_high : Out(log2(lines))
        Lines.
    write_data : Out(rows * steps * 8)
        The word.
    done : Out(1)
        The access of a last word is taken.
    """

    def __init__(self, rows: int, steps: int, lines: int):
        self.rows = rows
        self.steps = steps
        self.lines = lines
        self.bank_bits = exact_log2(2 * rows)
        self.line_bits = exact_log2(lines)
        width = rows * steps * ACTIVATION_BITS
        super().__init__(
            {
                "base": In(LINE_BITS),
                "pitch": In(LINE_BITS),
                "in_valid": In(1),
                "in_ready": Out(1),
                "in_data": In(width),
                "in_place": In(PLACE),
                "write_valid": Out(1),
                "write_ready": In(1),
                "write_bank": Out(range(2 * rows)),
                "write_count": Out(COUNT_BITS),
                "write_low": Out(self.line_bits),
                "write_high": Out(self.line_bits),
                "write_data": Out(width),
                "done": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        place = self.in_place
        pitch = self.pitch[: self.line_bits]

        # A word waits with its line, whose two parts are still to be added.
        offered = Signal()
        is_last = Signal()
        lines, origin = (
            Signal(self.line_bits, name=name, reset_less=True) for name in ("lines", "origin")
        )
        bank, count, word = (
            Signal.like(port, name=name, reset_less=True)
            for name, port in (
                ("bank", self.write_bank),
                ("count", self.write_count),
                ("word", self.write_data),
            )
        )
        m.d.comb += self.in_ready.eq(~offered | self.write_ready)
        with m.If(self.in_ready):
            m.d.sync += [
                offered.eq(self.in_valid),
                is_last.eq(place.last),
                lines.eq((place.pixel >> self.bank_bits)[: self.line_bits] * pitch),
                origin.eq(self.base + place.channel),
                bank.eq(place.pixel),
                count.eq(place.count),
                word.eq(self.in_data),
            ]

        # It is written.
        low = (lines + origin)[: self.line_bits]
        m.d.comb += [
            self.write_valid.eq(offered),
            self.write_bank.eq(bank),
            self.write_count.eq(count),
            self.write_low.eq(low),
            self.write_high.eq(low + pitch),
            self.write_data.eq(word),
            self.done.eq(offered & is_last & self.write_ready),
        ]
        return m
