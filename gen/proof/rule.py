"""The paper's rule in plain Python integers: knows neither the hardware nor the golden model.

A window format is the number of bits that are kept and the right-shifts that are allowed. An
activation is cut at the smallest shift at which it fits; what is cut off is dropped, or rounded
half to even without leaving the window. With vSPARQ, a zero lends its bits to its partner. Windows
may be shared by a group. A signed activation is cut as its magnitude is. Every function is the
definition written out, slow and easy to check by eye: proofs and tests compare with it.
"""

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from golden import NamedFormat

BYTE_MAX = 255

PAPER: dict[str, tuple[int, tuple[int, ...]]] = {
    "5opt": (4, (0, 1, 2, 3, 4)),
    "3opt": (4, (0, 2, 4)),
    "2opt": (4, (0, 4)),
    "6opt": (3, (0, 1, 2, 3, 4, 5)),
    "7opt": (2, (0, 1, 2, 3, 4, 5, 6)),
}
"""Window bits and shifts of the formats of the paper (table 2 and section 5.2)."""

SIGNED_NAMES: dict[str, tuple[int, tuple[int, ...]]] = {
    "s4opt": (4, (0, 1, 2, 3)),
    "s5opt": (4, (0, 1, 2, 3, 4)),
}
"""Those of the named formats of signed activations."""


class Rule(NamedTuple):
    """A window format; the fields are the arguments of ``golden.SparqFormat``, in their order."""

    window_bits: int
    shifts: tuple[int, ...]
    rounding: bool = True
    vsparq: bool = True
    group: int = 1
    signed: bool = False

    @property
    def magnitude_bits(self) -> int:
        """8; of a signed format 7, if no placement reaches further."""
        return min(8, self.window_bits + max(self.shifts)) if self.signed else 8

    @property
    def largest(self) -> int:
        """The largest magnitude."""
        return (1 << self.magnitude_bits) - 1

    @classmethod
    def of(cls, fmt: NamedFormat) -> "Rule":
        """The rule of the format of that name, which has one of its own or says its window."""
        named = PAPER | SIGNED_NAMES
        if fmt.name in named:
            bits, shifts = named[fmt.name]
        else:
            first, _, others = fmt.name.removeprefix("s").partition(":")
            bits, shifts = int(first), tuple(map(int, others.split(",")))
        signed = fmt.name.startswith("s")
        return cls(bits, shifts, fmt.rounding, fmt.vsparq, fmt.group, signed)

    def __str__(self) -> str:
        shifts = "_".join(map(str, self.shifts))
        mode = ("signed-" if self.signed else "") + ("round" if self.rounding else "trim")
        shared = f"-group{self.group}" if self.group > 1 else ""
        pairs = "vsparq" if self.vsparq else "bsparq"
        return f"{self.window_bits}b-s{shifts}-{mode}-{pairs}{shared}"

    def verilog(self) -> str:
        """The functions ``narrow`` and ``wide``: a byte cut by a window that fits ``largest``.

        In a window of one lane, and in one of both.
        """
        return self._function("narrow", self.window_bits) + self._function(
            "wide", 2 * self.window_bits
        )

    def _function(self, name: str, bits: int) -> str:
        cases = "".join(
            f"    else if (largest < {2 ** (bits + shift)}) step = {2**shift};\n"
            for shift in self.shifts
        )
        return (
            f"  function [15:0] {name}(input [15:0] a, input [15:0] largest);\n"
            "    reg [15:0] step, quotient, rest, limit;\n"
            "    begin\n"
            f"    if (0) step = 0;\n{cases}    else step = 0;\n"
            + "".join(
                f"    if (step == {2**shift}) begin "
                f"quotient = a / {2**shift}; rest = a % {2**shift}; "
                f"limit = {min(2**bits - 1, self.largest >> shift)}; end\n"
                for shift in self.shifts
            )
            + (
                "    if (2 * rest > step || (2 * rest == step && quotient % 2 == 1))\n"
                "      quotient = quotient + 1;\n"
                "    if (quotient > limit) quotient = limit;\n"
                if self.rounding
                else ""
            )
            + f"    {name} = quotient * step;\n    end\n  endfunction\n"
        )


def divide_half_even(numerator: int, shift: int) -> int:
    """``numerator / 2**shift`` to the nearest integer, ties to even."""
    step = 1 << shift
    quotient, remainder = divmod(numerator, step)
    above = 2 * remainder > step
    tie = 2 * remainder == step
    return quotient + 1 if above or (tie and quotient % 2 == 1) else quotient


@cache
def window(
    a: int, bits: int, shifts: tuple[int, ...], rounding: bool, largest: int = BYTE_MAX
) -> tuple[int, int]:
    """Contents and shift of the window of ``bits`` bits that represents ``a``, from 0."""
    shift = min(s for s in shifts if a < 2 ** (bits + s))
    if not rounding:
        return a >> shift, shift
    return min(divide_half_even(a, shift), (1 << bits) - 1, largest >> shift), shift


def effective(a: int, rule: Rule, partner: int | None = None) -> int:
    """What ``a`` becomes; its partner matters (with vSPARQ) only by being zero."""
    if a < 0:
        return -effective(-a, rule, partner)
    alone = rule.vsparq and partner == 0
    bits = 2 * rule.window_bits if alone else rule.window_bits
    contents, shift = window(a, bits, rule.shifts, rule.rounding, rule.largest)
    return contents << shift


def effective_pair(a: int, b: int, rule: Rule) -> tuple[int, int]:
    """What a pair becomes that is alone in its group."""
    if rule.group == 1:
        return effective(a, rule, b), effective(b, rule, a)
    first, second = effective_group([a, b], rule)
    return first, second


def effective_group(values: Sequence[int], rule: Rule) -> list[int]:
    """What some pairs become that are all there is to their group."""
    if rule.group == 1:
        pairs = zip(values[::2], values[1::2], strict=True)
        return [value for a, b in pairs for value in effective_pair(a, b, rule)]
    partners = [value for a, b in zip(values[::2], values[1::2], strict=True) for value in (b, a)]
    shift = shared_shift(values, rule)
    limit = min(2**rule.window_bits - 1, rule.largest >> shift)
    result = []
    for a, partner in zip(values, partners, strict=True):
        sign = -1 if a < 0 else 1
        if rule.vsparq and partner == 0:
            result.append(effective(a, rule, partner))
        elif rule.rounding:
            result.append(sign * (min(divide_half_even(abs(a), shift), limit) << shift))
        else:
            result.append(sign * (abs(a) >> shift << shift))
    return result


def shared_shift(values: Sequence[int], rule: Rule) -> int:
    """The smallest shift that fits the largest value that counts."""
    pairs = zip(values[::2], values[1::2], strict=True)
    counted = [max(map(abs, pair)) for pair in pairs if not rule.vsparq or 0 not in pair]
    return min(s for s in rule.shifts if max(counted, default=0) < 2 ** (rule.window_bits + s))
