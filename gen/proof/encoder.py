"""The encoder: what a pair's code stands for is what the paper's rule makes of the pair."""

from pathlib import Path
from typing import Any

from amaranth.hdl import Cat, Module, Value
from amaranth.lib.wiring import In, Out

from gen.proof.job import Job, Rtl
from gen.proof.rule import Rule
from gen.proof.solver import sat
from gen.proof.verdict import Verdict
from gen.verilog.emission import Emission
from golden import NamedFormat
from golden.format import SparqFormat
from hdl import PairEncoder, SignedPairEncoder, SignMagnitude
from hdl.placement import Component, place


class EncodedGroup(Component):
    """The encoders of a group of four activations, and what they share."""

    module_name = "encoded_group"

    def __init__(self, fmt: SparqFormat):
        self.fmt = fmt
        members = {"bytes": In(32), "pair": Out(2 * fmt.pair_bits)}
        if fmt.takes_zero_point:
            members["zero_point"] = In(8)
        super().__init__(members)

    def elaborate(self, platform: Any) -> Module:
        """Both encoders get the OR of what both pairs contribute."""
        m = Module()
        activations = [self.bytes.word_select(index, 8) for index in range(4)]
        if self.fmt.signed:
            activations = [
                self._sign_magnitude(m, platform, f"sign_magnitude{index}", byte)
                for index, byte in enumerate(activations)
            ]
        halves = Cat(activations[:2]), Cat(activations[2:])
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

    def _sign_magnitude(self, m: Module, platform: Any, name: str, byte: Value) -> Value:
        split = SignMagnitude(self.fmt)
        place(m, platform, name, split)
        m.d.comb += split.value.eq(byte)
        if self.fmt.takes_zero_point:
            m.d.comb += split.zero_point.eq(self.zero_point)
        return split.activation


class EncoderJob(Job):
    """For every group of bytes: the code is valid, and decodes to the values of the rule.

    Decoded as ``SparqFormat.control_codes`` defines the codes: the value of an activation is the
    sum of the lanes that meet its weight, each at its shift and with its sign, which is 0 for a 0.
    Bytes of signed formats are all from -127, or all with every zero point.
    """

    property_name = "encoder"
    says = "an encoded pair decodes to exactly the paper's values"
    method = "SAT"

    def __init__(self, fmt: NamedFormat):
        self.format = fmt.sparq_format
        self.rule = Rule.of(fmt)
        self.configuration = fmt.slug
        inputs = max(2, fmt.group) + self.format.takes_zero_point
        self.depth = f"all 2^{8 * inputs} inputs"

    def rtl(self) -> Rtl:
        """The encoder, or all encoders of a group."""
        if self.format.group > 2:
            return {"dut": Emission("dut").verilog(EncodedGroup(self.format))}
        encoder = SignedPairEncoder if self.format.signed else PairEncoder
        return {"dut": Emission("dut").verilog(encoder(self.format))}

    @property
    def statement(self) -> str:
        """The property around the encoder."""
        fmt, rule = self.format, self.rule
        count = max(2, rule.group)
        pairs = range(count // 2)
        size = [f"size{i}" for i in range(count)]
        counted = [
            f"({size[2 * p]} == 0 || {size[2 * p + 1]} == 0 ? 16'd0 : {size[i]})"
            if rule.vsparq
            else size[i]
            for p in pairs
            for i in (2 * p, 2 * p + 1)
        ]
        port = "bytes" if fmt.signed or fmt.group > 2 else "activations"
        zero, zero_input = "", ""
        if fmt.takes_zero_point:
            zero, zero_input = ".zero_point(zero_point), ", ", input [7:0] zero_point"
        lines = [
            f"module claim(input [{8 * count - 1}:0] bytes{zero_input});",
            f"  wire [{fmt.pair_bits * len(pairs) - 1}:0] code;",
            f"  dut dut(.{port}(bytes), {zero}.pair(code), .clk(1'b0), .rst(1'b0));",
            rule.verilog(),
            *(line for i in range(count) for line in self._activation(i)),
            f"  wire [15:0] largest{count} = {self._maximum(counted)};",
        ]
        for p in pairs:
            low = fmt.pair_bits * p
            lines += self._decoded(f"{p}", low)
            first, second = size[2 * p], size[2 * p + 1]
            for k, own in enumerate((first, second)):
                fitting = f"largest{count}" if rule.group > 1 else own
                value = f"narrow({own}, {fitting})"
                if rule.vsparq:
                    value = f"({first} == 0 || {second} == 0) ? wide({own}, {own}) : {value}"
                if fmt.signed:
                    value = f"(negative{2 * p + k} ? 16'd0 - ({value}) : ({value}))"
                lines.append(f"  always @* assert (value{p}_{k} == ({value}));")
        return "\n".join([*lines, "endmodule\n"])

    def _activation(self, index: int) -> list[str]:
        """The magnitude of a byte, ``size``, and its sign, ``negative``, if it has one."""
        byte, size = f"bytes[{8 * index} +: 8]", f"  wire [15:0] size{index}"
        if not self.format.signed:
            return [f"{size} = {byte};"]
        negative = f"  wire negative{index}"
        if self.format.takes_zero_point:
            return [
                f"{negative} = {byte} < zero_point;",
                f"{size} = negative{index} ? zero_point - {byte} : {byte} - zero_point;",
            ]
        return [
            f"{negative} = bytes[{8 * index + 7}];",
            f"{size} = negative{index} ? 16'd256 - {byte} : {byte};",
            f"  always @* assume ({byte} != 8'h80);",
        ]

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
            *(f"  wire [15:0] x{lane}_{suffix} = {self._lane(low, lane)};" for lane in (0, 1)),
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
            *(
                f"  always @* assert (!code[{low + fmt.unsigned_pair_bits + lane}] || "
                f"x{lane}_{suffix} != 0);"
                for lane in range(fmt.sign_bits)
            ),
        ]

    def _lane(self, low: int, lane: int) -> str:
        """What a lane has, of a code at bit ``low``: negative in 16 bits where its sign says so."""
        fmt = self.format
        bits = f"code[{low + lane * fmt.window_bits} +: {fmt.window_bits}]"
        if not fmt.signed:
            return bits
        return f"code[{low + fmt.unsigned_pair_bits + lane}] ? 16'd0 - {bits} : {bits}"
