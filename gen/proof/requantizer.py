"""The requantizer lane: its byte is that of the definition, for all inputs."""

import re
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

from gen.proof.job import Job, Rtl
from gen.proof.requantization import VERILOG
from gen.proof.solver import sat
from gen.proof.verdict import Verdict
from gen.verilog.emission import Emission
from hdl import RequantizerLane

INPUTS = {
    "sum": 32,
    "bias": 32,
    "multiplier": 15,
    "shift": 6,
    "zero_point": 8,
    "low": 8,
    "high": 8,
}
OUTPUTS = {"biased": 32, "activation": 8}
PRODUCT = {"product_2": 47, "biased_2": 32, "shift_2": 6, "limits_2": 24}
"""The registers of the second stage, which hold a product and what travels with it."""
SUM = {"biased_1": 32, "multiplier_1": 15}
"""Those of the first stage that are multiplied."""

STEPS = ("stalls", "product", "byte")
_PRODUCT_STAGE = 2
_REGISTERS = re.compile(r"\breg (?:\[(\d+):0\] )?((?:\w+ = \d+'\w+,?\s*)+)")


class RequantizerJob(Job):
    """A step of the proof that a lane's byte is ``requantized`` of ``(sum + bias) * multiplier``.

    Each is a SAT problem from any contents of all registers:

    - ``stalls``: while ``enable`` is 0 every register holds. So a lane depends on its enabled
      cycles alone, and the other steps take it to be enabled in all.
    - ``product``: two cycles after any inputs the registers of the second stage hold their product,
      with their shift, zero point and limits. A number of 32 bits is what its bits say unsigned,
      less 2**32 where it is negative; so the product is the unsigned one, less ``multiplier *
      2**32`` there, modulo 2**47, and it fits 47 bits with a sign. That the lane subtracts so is
      proved for all values; the unsigned product itself is the operator ``*`` of the emitted
      Verilog, the same as in the statement, so that a solver need not take two multipliers apart.
    - ``byte``: two cycles after any contents of these registers, whether or not a product can be
      that, the outputs are the definition's byte and the sum with its bias. Only shifts above 46,
      and a low limit above the high one, are left out, as in the lane's contract.

    Parameters
    ----------
    step : str
        One of :data:`STEPS`.
    """

    property_name = "requantizer"
    says = "the byte is (sum + bias) * multiplier / 2^shift, ties to even, moved and clipped"
    method = "SAT"
    depth = "unbounded"

    def __init__(self, step: str):
        self.configuration = step

    def rtl(self) -> Rtl:
        """The lane."""
        return {"lane": Emission("lane").verilog(RequantizerLane())}

    @property
    def statement(self) -> str:
        """Wires called as registers of the lane show these."""
        return self._statement(self._shown(self.rtl()))

    def prove(self, rtl: Rtl, timeout: float, waveform: Path) -> Verdict:
        """One SAT problem over as many cycles as the step spans, and one before."""
        shown = self._shown(rtl)
        cycles = {"stalls": 1, "product": 2, "byte": RequantizerLane.latency - _PRODUCT_STAGE}
        probes = {f"{name}_now": f"dut.{name}" for name in shown}
        options = f"-seq {cycles[self.configuration] + 1}"
        return sat(rtl, self._statement(shown), options, timeout, waveform, probes)

    def _shown(self, rtl: Rtl) -> dict[str, int]:
        """The registers that the step is about, and their widths."""
        if self.configuration == "product":
            return SUM | PRODUCT
        if self.configuration == "byte":
            return PRODUCT
        return {
            name: int(high or 0) + 1
            for high, names in _REGISTERS.findall(rtl["lane"])
            for name in re.findall(r"(\w+) = ", names)
        }

    def _statement(self, shown: Mapping[str, int]) -> str:
        ports = [*INPUTS, *OUTPUTS]
        enable = "enable" if self.configuration == "stalls" else "1'b1"
        lines = [
            "module claim(input clk, input rst, input enable",
            *(f"  , input [{width - 1}:0] {name}" for name, width in INPUTS.items()),
            "  );",
            *(f"  wire [{width - 1}:0] {name};" for name, width in OUTPUTS.items()),
            f"  lane dut(.clk(clk), .rst(rst), .enable({enable}),",
            f"    {', '.join(f'.{name}({name})' for name in ports)});",
            *(f"  (* keep *) wire [{width - 1}:0] {name}_now;" for name, width in shown.items()),
            "  reg [2:0] age = 0; always @(posedge clk) if (age < 4) age <= age + 1;",
        ]
        own = {"stalls": self._stalls, "product": self._product, "byte": self._byte}
        return "\n".join([*lines, *own[self.configuration](shown), "endmodule\n"])

    def _stalls(self, shown: Mapping[str, int]) -> list[str]:
        return [
            *_earlier({f"{name}_now": width for name, width in shown.items()} | {"enable": 1}, 1),
            "  always @* if (age >= 1 && !enable_1) begin",
            *(f"    assert ({name}_now == {name}_now_1);" for name in shown),
            "  end",
        ]

    def _product(self, shown: Mapping[str, int]) -> list[str]:
        return [
            *_earlier({**INPUTS, "total": 32, "less": 47}, 2),
            "  wire [31:0] total = sum + bias;",
            "  wire [46:0] less = {15'd0, biased_1_now} * {32'd0, multiplier_1_now}",
            "    - (biased_1_now[31] ? {multiplier_1_now, 32'd0} : 47'd0);",
            "  always @* begin",
            "    if (age >= 1) assert (biased_1_now == total_1);",
            "    if (age >= 1) assert (multiplier_1_now == multiplier_1);",
            "    if (age >= 1) assert (product_2_now == less_1);",
            "    if (age >= 2) assert (biased_2_now == total_2);",
            "    if (age >= 2) assert (shift_2_now == shift_2);",
            "    if (age >= 2) assert (limits_2_now == {high_2, low_2, zero_point_2});",
            "  end",
        ]

    def _byte(self, shown: Mapping[str, int]) -> list[str]:
        cycles = RequantizerLane.latency - _PRODUCT_STAGE
        product, biased, shift, limits = (f"{name}_now_{cycles}" for name in PRODUCT)
        zero_point, low, high = (f"{limits}[{8 * i} +: 8]" for i in range(3))
        return [
            VERILOG,
            *_earlier({f"{name}_now": width for name, width in shown.items()}, cycles),
            f"  wire [63:0] extended = {{{{17{{{product}[46]}}}}, {product}}};",
            f"  always @* if (age >= {cycles}) begin",
            f"    assert (biased == {biased});",
            f"    if ({shift} <= 46 && {low} <= {high}) assert (activation ==",
            f"      requantized(extended, {shift}, {zero_point}, {low}, {high}));",
            "  end",
        ]


def _earlier(signals: Mapping[str, int], cycles: int) -> list[str]:
    """Registers ``NAME_1`` and so on, of what signals were so many cycles before."""
    lines = []
    for name, width in signals.items():
        delayed = [name, *(f"{name}_{cycle}" for cycle in range(1, cycles + 1))]
        lines.append(f"  reg [{width - 1}:0] {', '.join(delayed[1:])};")
        moves = (f"{new} <= {old};" for old, new in pairwise(delayed))
        lines.append(f"  always @(posedge clk) begin {' '.join(moves)} end")
    return lines
