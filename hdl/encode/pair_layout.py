"""The packed word of an encoded pair, as a hardware layout."""

from amaranth.lib import data

from golden.format import SparqFormat


def pair_layout(fmt: SparqFormat) -> data.StructLayout:
    """``fmt.pair_layout`` as an Amaranth layout: x0, x1, control from bit 0.

    A control code that takes no bits in this format is left out.
    """
    return data.StructLayout({name: width for name, width in fmt.pair_layout if width})
