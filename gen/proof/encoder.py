"""The encoder: what a pair's code stands for is what the paper's rule makes of the pair."""

from pathlib import Path
from typing import Any

from amaranth.hdl import Cat, Module
from amaranth.lib.wiring import In, Out

from gen.proof.job import Job, Rtl
from gen.proof.rule import Rule
from gen.proof.solver import sat
from gen.proof.verdict import Verdict
from gen.verilog.emission import Emission
from golden import NamedFormat
from golden.format import SparqFormat
from hdl import PairEncoder
from hdl.placement import Component, place


class EncodedGroup(Component):
    """The encoders of a group of four activations, and what they share."""

    module_name = "encoded_group"

    def __init__(self, fmt: SparqFormat):
        self.fmt = fmt
        super().__init__({"activations": In(32), "pair": Out(2 * fmt.pair_bits)})

    def elaborate(self, platform: Any) -> Module:
        """Both encoders get the OR of what both pairs contribute."""
        m = Module()
        halves = self.activations[:16], self.activations[16:]
        codes = []
        for index, half in enumerate(halves):
            encoder = PairEncoder(self.fmt)
            place(m, platform, f"encoder{index}", encoder)
            m.d.comb += encoder.activations.eq(half)
            shares = [PairEncoder.shares(self.fmt, pair) for pair in halves]
            m.d.comb += encoder.shared.eq(shares[0] | shares[1])
            codes.append(encoder.pair)
        m.d.comb += self.pair.eq(Cat(codes))
        return m


class EncoderJob(Job):
    """For every group of bytes: the code is valid, and decodes to the values of the rule.

    Decoded as ``SparqFormat.control_codes`` defines the codes: the value of an activation is the
    sum of the lanes that meet its weight, each at its shift.
    """

    property_name = "encoder"
    says = "an encoded pair decodes to exactly the paper's values"
    method = "SAT"

    def __init__(self, fmt: NamedFormat):
        self.format = fmt.sparq_format
        self.rule = Rule.of(fmt)
        self.configuration = fmt.slug
        self.depth = f"all 2^{8 * max(2, fmt.group)} inputs"

    def rtl(self) -> Rtl:
        """The encoder, or all encoders of a group."""
        component = EncodedGroup(self.format) if self.format.group > 2 else PairEncoder(self.format)
        return {"dut": Emission("dut").verilog(component)}

    @property
    def statement(self) -> str:
        """The property around the encoder."""
        fmt, rule = self.format, self.rule
        count = max(2, rule.group)
        pairs = range(count // 2)
        byte = [f"activations[{8 * i} +: 8]" for i in range(count)]
        counted = [
            f"({byte[2 * p]} == 0 || {byte[2 * p + 1]} == 0 ? 16'd0 : {{8'd0, {byte[i]}}})"
            if rule.vsparq
            else f"{{8'd0, {byte[i]}}}"
            for p in pairs
            for i in (2 * p, 2 * p + 1)
        ]
        lines = [
            f"module claim(input [{8 * count - 1}:0] activations);",
            f"  wire [{fmt.pair_bits * len(pairs) - 1}:0] code;",
            "  dut dut(.activations(activations), .pair(code), .clk(1'b0), .rst(1'b0));",
            rule.verilog(),
            *(f"  wire [15:0] largest{i} = {self._maximum(counted[:i])};" for i in [count]),
        ]
        for p in pairs:
            low = fmt.pair_bits * p
            lines += self._decoded(f"{p}", low)
            first, second = byte[2 * p], byte[2 * p + 1]
            for k, own in enumerate((first, second)):
                size = f"largest{count}" if rule.group > 1 else own
                value = f"narrow({own}, {size})"
                if rule.vsparq:
                    value = f"({first} == 0 || {second} == 0) ? wide({own}, {own}) : {value}"
                lines.append(f"  always @* assert (value{p}_{k} == ({value}));")
        return "\n".join([*lines, "endmodule\n"])

    def prove(self, rtl: Rtl, timeout: float, waveform: Path) -> Verdict:
        """One SAT problem over all input bits."""
        return sat(rtl, self.statement, "", timeout, waveform)

    def _maximum(self, terms: list[str]) -> str:
        largest = terms[0]
        for term in terms[1:]:
            largest = f"({largest} > {term} ? {largest} : {term})"
        return largest

    def _decoded(self, suffix: str, low: int) -> list[str]:
        """The values that a code stands for, and that it is one."""
        fmt = self.format
        n = fmt.window_bits
        lines = [
            f"  wire [15:0] x0_{suffix} = code[{low} +: {n}];",
            f"  wire [15:0] x1_{suffix} = code[{low + n} +: {n}];",
            f"  reg [15:0] value{suffix}_0, value{suffix}_1; reg valid{suffix};",
        ]
        control = f"code[{low + 2 * n} +: {fmt.control_bits}]" if fmt.control_bits else "1'd0"
        cases = []
        for state, number in fmt.control_codes.items():
            shifts = [fmt.lane_shifts[state.shift0], fmt.lane_shifts[state.shift1]]
            values = ["0", "0"]
            for lane, (shift, mux) in enumerate(zip(shifts, state[2:], strict=True)):
                values[mux] += f" + x{lane}_{suffix} * {2**shift}"
            cases.append(
                f"    {number}: begin value{suffix}_0 = {values[0]}; "
                f"value{suffix}_1 = {values[1]}; end"
            )
        return [
            *lines,
            f"  always @* begin valid{suffix} = 1; case ({control})",
            *cases,
            f"    default: begin valid{suffix} = 0; value{suffix}_0 = 0; value{suffix}_1 = 0; end",
            f"  endcase assert (valid{suffix}); end",
        ]
