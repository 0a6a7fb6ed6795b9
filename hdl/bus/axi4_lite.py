"""AXI4-Lite slave ports of 32-bit words, with names that tools group into one interface."""

from typing import NamedTuple

from amaranth.lib.wiring import Flow, In, Member, Out

WORD_BITS = 32
BYTE_BITS = 8
WORD_BYTES = WORD_BITS // BYTE_BITS
OKAY, SLVERR = 0b00, 0b10
"""Responses: done; an error of the slave, nothing was changed."""

ADDRESS = 0
"""Stands for the width of an address, which each slave has its own."""


class _Signal(NamedTuple):
    flow: Flow
    bits: int
    meaning: str


SIGNALS = {
    "awaddr": _Signal(In, ADDRESS, "Address of a write, in bytes; its low two bits do not count."),
    "awprot": _Signal(In, 3, "Protection of a write; not read."),
    "awvalid": _Signal(In, 1, "An address of a write is offered."),
    "awready": _Signal(Out, 1, "An address of a write that is offered is taken."),
    "wdata": _Signal(In, WORD_BITS, "The word to write."),
    "wstrb": _Signal(In, WORD_BYTES, "Which bytes of it are written, byte 0 low."),
    "wvalid": _Signal(In, 1, "A word to write is offered."),
    "wready": _Signal(Out, 1, "A word to write that is offered is taken."),
    "bresp": _Signal(Out, 2, "How the write went: 0 done, 2 refused, nothing was changed."),
    "bvalid": _Signal(Out, 1, "The response of a write is there, until it is taken."),
    "bready": _Signal(In, 1, "The response of a write is taken."),
    "araddr": _Signal(In, ADDRESS, "Address of a read, in bytes; its low two bits do not count."),
    "arprot": _Signal(In, 3, "Protection of a read; not read."),
    "arvalid": _Signal(In, 1, "An address of a read is offered."),
    "arready": _Signal(Out, 1, "An address of a read that is offered is taken."),
    "rdata": _Signal(Out, WORD_BITS, "The word that was read; 0 where that was refused."),
    "rresp": _Signal(Out, 2, "How the read went: 0 done, 2 refused."),
    "rvalid": _Signal(Out, 1, "The word that was read is there, until it is taken."),
    "rready": _Signal(In, 1, "The word that was read is taken."),
}
"""The signals of a slave port, in the order of its channels."""


def axi4_lite_members(address_bits: int, prefix: str) -> dict[str, Member]:
    """The members of a component that is a slave: one for each of :data:`SIGNALS`.

    They are plain ones, not of an interface: ``PREFIX_awaddr`` is what tools such as Vivado
    recognize.
    """
    return {
        f"{prefix}_{name}": Member(signal.flow, signal.bits or address_bits)
        for name, signal in SIGNALS.items()
    }


def axi4_lite_meanings(prefix: str) -> dict[str, str]:
    """What each of the members is, for ``port_meanings`` of a component."""
    return {f"{prefix}_{name}": signal.meaning for name, signal in SIGNALS.items()}
