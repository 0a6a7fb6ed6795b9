"""Whole arrays for a bounded number of cycles, and their wiring in any size."""

from pathlib import Path

from gen.proof.element import array_latency
from gen.proof.job import Rtl, SizedJob
from gen.proof.rule import Rule
from gen.proof.solver import sat
from gen.proof.verdict import Verdict
from golden.format import SparqFormat
from hdl import MacUnit


class ArrayJob(SizedJob):
    """An array from its first cycle on: what leaves is what the paper's rule makes of each tile.

    All bubbles and tile lengths that fit into so many cycles after reset, all weights, and all
    activations or, with ``ones``, those that are 0 or 1, or -1 in a signed format: enough to tell
    which operands met in which tile, where the steps of an element are proved for all operands.
    """

    property_name = "array"
    says = "results of tiles are exact, for all that can enter in so many cycles after reset"
    method = "SAT, bounded"

    def __init__(self, element: MacUnit, rows: int, cols: int, slices: int, ones: bool = True):
        super().__init__(element, rows, cols)
        self.ones = ones
        self.slices = slices
        self.configuration += "" if ones else "_all_bytes"
        self._latency = array_latency(self.element, self.rows, self.cols)
        self._cycles = 1 + slices + self._latency + rows - 1
        self.depth = f"{self._cycles} cycles, {slices} of input"

    @property
    def statement(self) -> str:
        """Sums of each tile in plain arithmetic, delayed by the array's latency."""
        rows, cols = self.rows, self.cols
        mac = self.element.mac
        k, bits, acc = mac.k_per_cycle, self.element.weight_bits, self.element.acc_bits
        latency = array_latency(self.element, self.rows, self.cols)
        depth = latency + rows
        lines = [
            f"module claim(input clk, input rst, input in_valid, input in_last, "
            f"{'input [7:0] zero_point, ' if self._is_affine else ''}"
            f"input [{8 * k * rows - 1}:0] in_a, input [{k * bits * cols - 1}:0] in_w);",
            "  wire in_ready, out_valid, out_last;",
            f"  wire [{acc * cols - 1}:0] out_acc;",
            "  array dut(.clk(clk), .rst(rst), .in_valid(in_valid), .in_last(in_last),",
            f"    {'.zero_point(zero_point), ' if self._is_affine else ''}"
            ".in_ready(in_ready), .in_a(in_a), .in_w(in_w), .out_valid(out_valid),",
            "    .out_last(out_last), .out_acc(out_acc));",
            f"  reg started = 0, pending = 0; reg [7:0] since = {rows}, age = 0;",
            f"  reg [{depth}:0] tile = 0;",
            "  wire taken = in_valid && in_ready;",
            "  wire due = (taken && in_last) || pending;",
            f"  wire send = due && since >= {rows};",
        ]
        if self.element.format is not None:
            lines.append(Rule.of(self.element.format).verilog())
        for row in range(rows):
            for index in range(k):
                byte, zero = f"in_a[{8 * (k * row + index)} +: 8]", self._zero_of_byte
                name = f"{row}_{index}"
                lines += [
                    f"  wire signed [9:0] d{name} = {self._number(byte)} - {zero};",
                    f"  wire [7:0] m{name} = d{name} < 0 ? -d{name} : d{name};",
                ]
            for index in range(k):
                own, other = (f"m{row}_{i}" for i in (index, k - 1 - index))
                value = self._value(own, other)
                lines += [
                    f"  wire signed [16:0] v{row}_{index} = {value};",
                    f"  wire signed [16:0] a{row}_{index} = "
                    f"d{row}_{index} < 0 ? -v{row}_{index} : v{row}_{index};",
                ]
        for col in range(cols):
            for index in range(k):
                low = bits * (k * col + index)
                lines.append(
                    f"  wire signed [{acc - 1}:0] w{col}_{index} = $signed(in_w[{low} +: {bits}]);"
                )
        for row in range(rows):
            for col in range(cols):
                name = f"{row}_{col}"
                product = " + ".join(f"a{row}_{i} * w{col}_{i}" for i in range(k))
                lines += [
                    f"  reg signed [{acc - 1}:0] sum{name} = 0;",
                    f"  wire signed [{acc - 1}:0] step{name} = {product};",
                    f"  wire signed [{acc - 1}:0] next{name} = taken ? sum{name} + step{name} "
                    f": sum{name};",
                    f"  reg [{acc * (depth + 1) - 1}:0] line{name} = 0;",
                ]
        lines += [
            "  always @(posedge clk) begin",
            "    started <= 1; pending <= !rst && due && !send; age <= age + 1;",
            f"    since <= rst ? {rows} : send ? 1 : since == {rows} ? since : since + 1;",
            "    tile <= rst ? 0 : {tile, send};",
        ]
        for row in range(rows):
            for col in range(cols):
                name = f"{row}_{col}"
                lines.append(f"    sum{name} <= rst || send ? 0 : next{name};")
                lines.append(f"    line{name} <= {{line{name}, next{name}}};")
        lines += [
            "  end",
            "  always @* assume (rst == !started);",
            *(f"  always @* assume ({each});" for each in self._assumptions()),
            f"  always @* assume (age <= {self.slices} || !in_valid);",
            "  always @* if (started) begin",
            f"    assert (out_valid == |tile[{latency - 1} +: {rows}]);",
            f"    assert (out_last == tile[{latency + rows - 2}]);",
        ]
        for k_row in range(rows):
            row, at = rows - 1 - k_row, latency - 1 + k_row
            for col in range(cols):
                lines.append(
                    f"    assert (!tile[{at}] || out_acc[{acc * col} +: {acc}] == "
                    f"line{row}_{col}[{acc * at} +: {acc}]);"
                )
        return "\n".join([*lines, "  end", "endmodule\n"])

    @property
    def _signed_format(self) -> SparqFormat | None:
        return self.element.mac.multiplier.signed_format

    @property
    def _is_affine(self) -> bool:
        """Whether bytes come with a zero point."""
        return self._signed_format is not None and self._signed_format.takes_zero_point

    @property
    def _zero_of_byte(self) -> str:
        """The number that stands for 0, in Verilog."""
        return "$signed({2'b0, zero_point})" if self._is_affine else "10'sd0"

    def _number(self, byte: str) -> str:
        """What a byte is, in Verilog."""
        if self._signed_format is None or self._is_affine:
            return f"$signed({{2'b0, {byte}}})"
        return f"$signed({byte})"

    def _assumptions(self) -> list[str]:
        """What is true of activations, in Verilog: -128 is none."""
        places = [
            f"{row}_{index}"
            for row in range(self.rows)
            for index in range(self.element.k_per_cycle)
        ]
        if self.ones:
            return [f"m{place} <= 1" for place in places]
        return [
            f"m{place} != 128" for place in places if self._signed_format and not self._is_affine
        ]

    def _value(self, own: str, other: str) -> str:
        """What an activation becomes beside another, in Verilog."""
        if self.element.format is None:
            return f"{own} % {2**self.element.activation_bits}"
        rule = Rule.of(self.element.format)
        largest = own if rule.group == 1 else f"({own} > {other} ? {own} : {other})"
        value = f"narrow({own}, {largest})"
        if rule.vsparq:
            value = f"({own} == 0 || {other} == 0) ? wide({own}, {own}) : {value}"
        return value

    def prove(self, rtl: Rtl, timeout: float, waveform: Path) -> Verdict:
        """From reset, cycle by cycle."""
        options = f"-seq {self._cycles}"
        return sat(rtl, self.statement, options, timeout, waveform)
