"""The paper's rule, written for the proofs: knows neither the hardware nor the golden model.

A window format is the number of bits that are kept and the right-shifts that are allowed. An
activation is cut at the smallest shift at which it fits; what is cut off is dropped, or rounded
half to even without leaving the window. With vSPARQ, a zero lends its bits to its partner.
"""

from typing import NamedTuple

PAPER: dict[str, tuple[int, tuple[int, ...]]] = {
    "5opt": (4, (0, 1, 2, 3, 4)),
    "3opt": (4, (0, 2, 4)),
    "2opt": (4, (0, 4)),
    "6opt": (3, (0, 1, 2, 3, 4, 5)),
    "7opt": (2, (0, 1, 2, 3, 4, 5, 6)),
}
"""Window bits and shifts of the formats of the paper (table 2 and section 5.2)."""


class Rule(NamedTuple):
    """A format of the paper and its options."""

    bits: int
    shifts: tuple[int, ...]
    rounding: bool
    vsparq: bool
    group: int

    def cut(self, a: int, largest: int, bits: int) -> int:
        """``a`` in a window of ``bits`` bits that fits ``largest``, at least ``a``."""
        shift = min(s for s in self.shifts if largest < 2 ** (bits + s))
        step = 1 << shift
        quotient, rest = divmod(a, step)
        if self.rounding:
            up = 2 * rest > step or (2 * rest == step and quotient % 2 == 1)
            quotient = min(quotient + int(up), (1 << bits) - 1)
        return quotient * step

    def pair(self, a: int, b: int) -> tuple[int, int]:
        """What the activations of a pair become, which is a group of its own or none."""
        if self.vsparq and 0 in (a, b):
            return self.cut(a, a, 2 * self.bits), self.cut(b, b, 2 * self.bits)
        largest_a, largest_b = (a, b) if self.group == 1 else (max(a, b), max(a, b))
        return self.cut(a, largest_a, self.bits), self.cut(b, largest_b, self.bits)

    def verilog(self) -> str:
        """The functions ``narrow`` and ``wide``: a byte cut by a window that fits ``largest``.

        In a window of one lane, and in one of both.
        """
        return self._function("narrow", self.bits) + self._function("wide", 2 * self.bits)

    def _function(self, name: str, bits: int) -> str:
        cases = "".join(
            f"    else if (largest < {2 ** (bits + shift)}) step = {2**shift};\n"
            for shift in self.shifts
        )
        return (
            f"  function [15:0] {name}(input [15:0] a, input [15:0] largest);\n"
            "    reg [15:0] step, quotient, rest;\n"
            "    begin\n"
            f"    if (0) step = 0;\n{cases}    else step = 0;\n"
            + "".join(
                f"    if (step == {2**shift}) begin "
                f"quotient = a / {2**shift}; rest = a % {2**shift}; end\n"
                for shift in self.shifts
            )
            + (
                "    if (2 * rest > step || (2 * rest == step && quotient % 2 == 1))\n"
                "      quotient = quotient + 1;\n"
                f"    if (quotient > {2**bits - 1}) quotient = {2**bits - 1};\n"
                if self.rounding
                else ""
            )
            + f"    {name} = quotient * step;\n    end\n  endfunction\n"
        )


def rule_of(name: str, rounding: bool, vsparq: bool, group: int) -> Rule:
    """The rule of the format of that name."""
    return Rule(*PAPER[name], rounding, vsparq, group)
