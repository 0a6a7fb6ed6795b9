"""Rows of partial products: unsigned addends whose sum is a product."""

from amaranth.hdl import Module, Mux, Value

from hdl.multiplier.multiplier import Addend, named


def and_rows(m: Module, name: str, x: Value, weight: Value) -> list[Addend]:
    """``x * weight``, both unsigned: one row for each bit of ``x``."""
    return [
        (named(m, f"{name}_row{exponent}", Mux(bit, weight, 0)), exponent)
        for exponent, bit in enumerate(x)
    ]
