"""The column combiner: its sum is that of both columns, exactly, for all inputs."""

from pathlib import Path

from gen.proof.job import Job, Rtl
from gen.proof.solver import sat
from gen.proof.verdict import Verdict
from gen.verilog.emission import Emission
from hdl.engine.column_combiner import SHIFT_BITS, ColumnCombiner

EXACT_BITS = 48
"""Of the statement: more than any sum has, so that nothing in it wraps."""


class CombinerJob(Job):
    """A combiner's sum, extended with its sign, is ``left * 2**shift + own``, or ``own``.

    The statement has products by each power of two and 48 bits, the combiner a shifter and 8 bits
    more than the sums of the columns: so those bits are enough.
    """

    property_name = "combiner"
    says = "two columns' sums combine to left * 2^shift + own, exactly, or to own where shift is 0"
    method = "SAT"
    depth = "unbounded"

    def __init__(self, acc_bits: int):
        self.acc_bits = acc_bits
        self.configuration = f"acc{acc_bits}"

    def rtl(self) -> Rtl:
        """The combiner."""
        return {"combiner": Emission("combiner").verilog(ColumnCombiner(self.acc_bits))}

    @property
    def statement(self) -> str:
        """One assertion for each shift."""
        bits = self.acc_bits
        lines = [
            f"module claim(input [{bits - 1}:0] left, own, input [{SHIFT_BITS - 1}:0] shift);",
            f"  wire [{bits + (1 << SHIFT_BITS) - 1}:0] sum;",
            "  combiner dut(.left(left), .own(own), .shift(shift), .sum(sum));",
            f"  wire signed [{EXACT_BITS - 1}:0] a = $signed(left), b = $signed(own);",
            f"  wire signed [{EXACT_BITS - 1}:0] found = $signed(sum);",
            "  always @* begin",
            "    if (shift == 0) assert (found == b);",
            *(
                f"    if (shift == {shift}) assert (found == a * {1 << shift} + b);"
                for shift in range(1, 1 << SHIFT_BITS)
            ),
            "  end",
            "endmodule\n",
        ]
        return "\n".join(lines)

    def prove(self, rtl: Rtl, timeout: float, waveform: Path) -> Verdict:
        """One SAT problem."""
        return sat(rtl, self.statement, "", timeout, waveform, {})
