"""Rows of partial products: unsigned addends whose sum is a product."""

from amaranth.hdl import Cat, Module, Mux, Value

from hdl.multiplier.multiplier import Addend, named


def and_rows(m: Module, name: str, x: Value, weight: Value) -> list[Addend]:
    """``x * weight``, both unsigned: one row for each bit of ``x``."""
    return [
        (named(m, f"{name}_row{exponent}", Mux(bit, weight, 0)), exponent)
        for exponent, bit in enumerate(x)
    ]


def radix_4_rows(m: Module, name: str, x: Value, digits: Value) -> list[Addend]:
    """``x * (digits - 85...)``: one row for each radix-4 digit of ``digits``, less one.

    A digit of 0, 1, 2 or 3 stands for -1, 0, 1 or 2. The row of -1 is ``~x``, which is ``-x`` plus
    ``2**len(x) - 1``; :func:`negative_digits` tells what that makes in all.
    """
    rows = []
    for exponent in range(0, len(digits), 2):
        digit = digits[exponent : exponent + 2]
        negative = named(m, f"{name}_negative{exponent}", ~(digit[0] | digit[1]))
        single = named(m, f"{name}_single{exponent}", digit[1] & ~digit[0])
        double = named(m, f"{name}_double{exponent}", digit[1] & digit[0])
        row = Mux(single, x, 0) | Mux(double, x << 1, 0) | Mux(negative, (~x)[: len(x)], 0)
        rows.append((named(m, f"{name}_row{exponent}", row[: len(x) + 1]), exponent))
    return rows


def negative_digits(digits: Value) -> Value:
    """The digits of :func:`radix_4_rows` that stand for -1, as a number of 1s and 0s."""
    flags = [~digits[exponent : exponent + 2].any() for exponent in range(0, len(digits), 2)]
    return Cat(bit for flag in flags for bit in (flag, 0))[:-1]


def distributed_rows(
    m: Module, name: str, x: tuple[Value, Value], weights: tuple[Value, Value, Value]
) -> list[Addend]:
    """``x[0] * weights[0] + x[1] * weights[1]``, by distributed arithmetic.

    All are unsigned, and ``weights[2]`` is the sum of the two others. Each pair of bits of equal
    weight selects none, one or the sum of the weights: one row where two products have two.
    """
    first, second, both = weights
    rows = []
    for exponent, (bit0, bit1) in enumerate(zip(*x, strict=True)):
        only0 = named(m, f"{name}_only0_{exponent}", bit0 & ~bit1)
        only1 = named(m, f"{name}_only1_{exponent}", bit1 & ~bit0)
        together = named(m, f"{name}_together{exponent}", bit0 & bit1)
        row = Mux(only0, first, 0) | Mux(only1, second, 0) | Mux(together, both, 0)
        rows.append((named(m, f"{name}_row{exponent}", row[: len(both)]), exponent))
    return rows
