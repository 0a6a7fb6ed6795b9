"""Registers behind an AXI4-Lite port, built from their table."""

from collections.abc import Iterator
from functools import reduce
from operator import or_
from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib.wiring import In, Member, Out

from hdl.bus.axi4_lite import (
    BYTE_BITS,
    OKAY,
    SLVERR,
    WORD_BITS,
    WORD_BYTES,
    axi4_lite_meanings,
    axi4_lite_members,
)
from hdl.bus.register_map import LOCK_PORT, Access, Field, Register, RegisterMap
from hdl.placement import Component


class RegisterFile(Component):
    """The registers of a table behind an AXI4-Lite slave port, each field with a port of hardware.

    A read is answered one cycle after its address was taken, with the word as it was in the cycle
    of that; a write two cycles after the later one of its address and its word, which come in
    either order. One read and one write are under way at a time, and an answer stays until it is
    taken. What is read or written at an address without a register, or written where no field can
    be or where the register is locked, is answered with SLVERR and changes nothing. No output
    depends on an input of the same cycle.

    Reset takes all fields back to their values after reset, and drops what was taken and not yet
    answered. Nothing is taken from its second cycle to the first one after it.

    Parameters
    ----------
    registers : RegisterMap
        The table.
    prefix : str
        Of the names of the AXI4-Lite signals.

    Members
    -------
    PREFIX_awaddr, and so on
        The AXI4-Lite port: :data:`hdl.bus.axi4_lite.SIGNALS`.
    REGISTER_FIELD
        One for each field that is no constant, in lower case: In for ``read`` (what is read), Out
        for ``read_write`` (what was written), ``write_one_to_clear`` (what is held) and ``pulse``
        (one cycle of 1, the one in which all that was written with it is seen).
    set_REGISTER_FIELD : In
        Of ``write_one_to_clear``: what the field takes where it is 0 or being cleared.
    written_REGISTER : Out(1)
        Where the table asks for it: one cycle of 1 for each write, whatever its bytes, the one in
        which what was written is seen.
    locked : In(1)
        Where the table has registers that lock: a write to these is refused if this is 1 in the
        cycle before its answer.
    """

    def __init__(self, registers: RegisterMap, prefix: str = "s_axi_control"):
        self.registers = registers
        self.prefix = prefix
        fields = {name: member for name, member, _ in self._field_ports()}
        super().__init__({**axi4_lite_members(registers.address_bits, prefix), **fields})

    @property
    def module_name(self) -> str:
        return f"{self.registers.name}_register_file".lower()

    @property
    def port_meanings(self) -> dict[str, str]:
        """What each port is."""
        fields = {name: meaning for name, _, meaning in self._field_ports()}
        return {**axi4_lite_meanings(self.prefix), **fields}

    def _field_ports(self) -> Iterator[tuple[str, Member, str]]:
        for register in self.registers.registers:
            for field in register.fields:
                port = register.port(field)
                if field.access is Access.WRITE_ONE_TO_CLEAR:
                    meaning = f"What {port} takes where it is 0 or being cleared."
                    yield register.set_port(field), In(field.bits), meaning
                if field.access is Access.READ:
                    yield port, In(field.bits), field.description
                elif field.access is not Access.CONSTANT:
                    yield port, Out(field.bits, init=field.value), field.description
            if register.strobe:
                meaning = f"One cycle of 1 for each write to {register.name}."
                yield register.strobe_port, Out(1), meaning
        if self.registers.locks:
            names = ", ".join(own.name for own in self.registers.registers if own.locks)
            yield LOCK_PORT, In(1), f"Writes are refused to {names}."

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        awake = Signal()
        m.d.sync += awake.eq(1)
        self._read(m, awake)
        self._write(m, awake)
        return m

    def _axi(self, name: str) -> Any:
        return getattr(self, f"{self.prefix}_{name}")

    def _read(self, m: Module, awake: Value) -> None:
        ready, valid, word = self._axi("arready"), self._axi("rvalid"), self._axi("rdata")
        refused = Signal(name="read_refused")
        found, words = [], []
        for register in self.registers.registers:
            selected = Signal(name=f"read_{register.name.lower()}")
            m.d.comb += selected.eq(self._axi("araddr")[2:] == register.offset >> 2)
            found.append(selected)
            words.append(Mux(selected, self._word(register), 0))

        m.d.comb += ready.eq(awake & ~valid)
        m.d.comb += self._axi("rresp").eq(Mux(refused, SLVERR, OKAY))
        with m.If(valid):
            m.d.sync += valid.eq(~self._axi("rready"))
        with m.Elif(ready & self._axi("arvalid")):
            m.d.sync += [valid.eq(1), word.eq(reduce(or_, words)), refused.eq(~Cat(*found).any())]

    def _word(self, register: Register) -> Value:
        """What a register reads as."""
        parts: list[Value] = []
        place = 0
        for field in sorted(register.fields, key=lambda field: field.low_bit):
            parts.append(Const(0, field.low_bit - place))
            parts.append(self._value(register, field))
            place = field.low_bit + field.bits
        return Cat(*parts)

    def _value(self, register: Register, field: Field) -> Value:
        if field.access is Access.CONSTANT:
            return Const(field.value, field.bits)
        if field.access is Access.PULSE:
            return Const(0, 1)
        return getattr(self, register.port(field))

    def _write(self, m: Module, awake: Value) -> None:
        # The address and the word wait for each other.
        address = Signal.like(self._axi("awaddr")[2:], name="address", reset_less=True)
        word = Signal(WORD_BITS, reset_less=True)
        strobes = Signal(WORD_BYTES, reset_less=True)
        address_held = Signal()
        word_held = Signal()
        m.d.comb += self._axi("awready").eq(awake & ~address_held)
        m.d.comb += self._axi("wready").eq(awake & ~word_held)
        with m.If(self._axi("awready") & self._axi("awvalid")):
            m.d.sync += [address_held.eq(1), address.eq(self._axi("awaddr")[2:])]
        with m.If(self._axi("wready") & self._axi("wvalid")):
            m.d.sync += [word_held.eq(1), word.eq(self._axi("wdata"))]
            m.d.sync += strobes.eq(self._axi("wstrb"))

        # They are used in one cycle, and answered until that is taken.
        valid = self._axi("bvalid")
        refused = Signal(name="write_refused")
        write = Signal()
        accepted = []
        m.d.comb += write.eq(address_held & word_held & ~valid)
        m.d.comb += self._axi("bresp").eq(Mux(refused, SLVERR, OKAY))
        written = Cat(*(strobe.replicate(BYTE_BITS) for strobe in strobes))
        ones = Signal(WORD_BITS)
        m.d.comb += ones.eq(word & written)
        for register in self.registers.registers:
            if register.is_writable:
                selected = Signal(name=f"write_{register.name.lower()}")
                selects = write & (address == register.offset >> 2)
                if register.locks:
                    selects &= ~getattr(self, LOCK_PORT)
                m.d.comb += selected.eq(selects)
                accepted.append(selected)
                self._write_fields(m, register, selected, ones, written)
        with m.If(write):
            m.d.sync += [valid.eq(1), refused.eq(~Cat(*accepted).any())]
        with m.Elif(valid & self._axi("bready")):
            m.d.sync += [valid.eq(0), address_held.eq(0), word_held.eq(0)]

    def _write_fields(
        self, m: Module, register: Register, selected: Value, ones: Value, written: Value
    ) -> None:
        """Where the register is ``selected``: which bits are ``written``, and which of them 1."""
        if register.strobe:
            m.d.sync += getattr(self, register.strobe_port).eq(selected)
        for field in register.fields:
            place = slice(field.low_bit, field.low_bit + field.bits)
            if field.access is Access.READ_WRITE:
                port = getattr(self, register.port(field))
                with m.If(selected):
                    m.d.sync += port.eq(ones[place] | (port & ~written[place]))
            elif field.access is Access.WRITE_ONE_TO_CLEAR:
                port = getattr(self, register.port(field))
                with m.If(~port.any() | (selected & ones[place].any())):
                    m.d.sync += port.eq(getattr(self, register.set_port(field)))
            elif field.access is Access.PULSE:
                m.d.sync += getattr(self, register.port(field)).eq(selected & ones[place])
