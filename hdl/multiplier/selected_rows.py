"""Rows of partial products that are one of three numbers, or zero.

Which one it is comes as three lines, of which at most one is active; the third is active low. The
gates that AND and OR fast and small all invert: with the third number inverted as well, where it
comes from, a bit of a row is an AOI22 and an OAI21.
"""

from amaranth.hdl import Cat, Module, Mux, Value

from hdl.multiplier.multiplier import Addend, named

LINES = 3


def select_lines(first: Value, second: Value, third: Value) -> Value:
    """Lines that select one of three, or none."""
    return Cat(first, second, ~third)


def selected_row(lines: Value, first: Value, second: Value, third: Value) -> Value:
    """The number that is selected."""
    return Mux(lines[0], first, 0) | Mux(lines[1], second, 0) | Mux(~lines[2], third, 0)


def digit_lines_bits(bits: int) -> int:
    """Width of :func:`digit_lines` of a number of ``bits`` bits."""
    return bits // 2 * LINES + bits % 2


def digit_lines(x: Value) -> Value:
    """For each radix-4 digit of ``x``, the low ones first, lines that select 1, 2 or 3.

    Where the number of bits is odd, the last digit is a bit, and its line too.
    """
    digits = [x[exponent : exponent + 2] for exponent in range(0, len(x), 2)]
    return Cat(
        select_lines(digit == 1, digit == 2, digit == 3) if len(digit) == 2 else digit
        for digit in digits
    )


def digits_of(lines: Value) -> Value:
    """The number that :func:`digit_lines` were made of."""
    digits = []
    for flags in _split(lines):
        two_bits = len(flags) == LINES
        digits.append(Cat(flags[0] | ~flags[2], flags[1] | ~flags[2]) if two_bits else flags)
    return Cat(digits)


def digit_rows(m: Module, name: str, lines: Value, weight: Value, triple: Value) -> list[Addend]:
    """``x * weight``, one row for each digit of ``x``, which comes as :func:`digit_lines`.

    ``weight`` may be signed, and so are its rows then; ``triple`` is three times as much.
    """
    rows = []
    for index, flags in enumerate(_split(lines)):
        if len(flags) == LINES:
            bits = selected_row(flags, weight, weight << 1, triple)[: len(weight) + 2]
            row = Cat((flags[0] | ~flags[2]) & weight[0], bits[1:])  # 2 * weight is even
        else:
            row = Mux(flags, weight, 0)[: len(weight)]
        rows.append((named(m, f"{name}_row{2 * index}", row), 2 * index))
    return rows


def pair_lines(first: Value, second: Value) -> Value:
    """For each pair of bits, lines that select the first alone, the second alone, or both."""
    pairs = zip(first, second, strict=True)
    return Cat(select_lines(bit0 & ~bit1, bit1 & ~bit0, bit0 & bit1) for bit0, bit1 in pairs)


def pair_of(lines: Value) -> tuple[Value, Value]:
    """Both numbers that :func:`pair_lines` were made of."""
    flags = list(_split(lines))
    return Cat(f[0] | ~f[2] for f in flags), Cat(f[1] | ~f[2] for f in flags)


def pair_code(first: Value, second: Value, inverted: bool) -> Value:
    """Two weights of one form, and their sum, one bit wider and perhaps inverted."""
    both = first + second
    return Cat(first, second, ~both if inverted else both)


def pair_multiples(code: Value, inverted: bool) -> tuple[Value, Value, Value]:
    """Both weights and their sum, from a :func:`pair_code`."""
    bits = len(code) // 3
    both = code[2 * bits :]
    return code[:bits], code[bits : 2 * bits], ~both if inverted else both


def pair_rows(
    m: Module, name: str, lines: Value, first: Value, second: Value, both: Value
) -> list[Addend]:
    """Two products as one, by distributed arithmetic: one row for each pair of bits.

    ``lines`` are :func:`pair_lines`. Weights and their sum may be signed; so are the rows then.
    """
    rows = [selected_row(flags, first, second, both)[: len(both)] for flags in _split(lines)]
    return [(named(m, f"{name}_row{index}", row), index) for index, row in enumerate(rows)]


def _split(lines: Value) -> list[Value]:
    """The lines of each row."""
    return [lines[start : start + LINES] for start in range(0, len(lines), LINES)]
