"""The packed word of an encoded pair, as a hardware layout."""

from amaranth.lib import data

from golden.format import SparqFormat


def pair_layout(fmt: SparqFormat) -> data.StructLayout:
    """``fmt.pair_layout`` as an Amaranth layout: x0, x1, shift0, ... from bit 0.

    Fields that take no bits in this format are left out.
    """
    return data.StructLayout({name: width for name, width in fmt.pair_layout if width})
