"""The top of an array: what its parts are wired to, in every cycle."""

from pathlib import Path

from gen.proof.element import array_bits
from gen.proof.job import Rtl, SizedJob
from gen.proof.solver import sat
from gen.proof.verdict import Verdict


class TopJob(SizedJob):
    """Every part of an array gets what it must from the parts before it.

    A cycle in which no slice is taken brings zeros, whatever the operands are; the bias of the rows
    is multiplied by what its scale has beside a power of two. They drain as the elements of the
    first column do, one cycle later than the sequencer says.
    """

    property_name = "top"
    says = "the parts of an array are wired as they must be; a bubble is a zero"
    method = "SAT"
    depth = "unbounded"

    @property
    def statement(self) -> str:
        """Wires ``PART__PORT`` show the ports of the parts."""
        rows = self.rows
        a_bits, w_bits, out_bits = array_bits(self.element, rows, self.cols).values()
        fmt = self.element.mac.multiplier.signed_format
        zero = fmt is not None and fmt.takes_zero_point
        lines = [
            f"module claim(input clk, input rst, input in_valid, input in_last, "
            f"{'input [7:0] zero_point, ' if zero else ''}"
            f"input [{a_bits - 1}:0] in_a, input [{w_bits - 1}:0] in_w);",
            f"  wire in_ready, out_valid, out_last; wire [{out_bits - 1}:0] out_acc;",
            "  array dut(.clk(clk), .rst(rst), .in_valid(in_valid), .in_last(in_last),",
            f"    {'.zero_point(zero_point), ' if zero else ''}"
            ".in_ready(in_ready), .in_a(in_a), .in_w(in_w), .out_valid(out_valid),",
            "    .out_last(out_last), .out_acc(out_acc));",
        ]
        lines += self._signs_and_magnitudes()
        for name, width in self._shown().items():
            lines.append(f"  (* keep *) wire [{width - 1}:0] {name};")
        if self.element.mac.multiplier.row_scale:
            lines.append(f"  reg started = 0; reg [{rows - 1}:0] drain_was;")
            lines.append("  always @(posedge clk) begin started <= 1;")
            lines.append("    drain_was <= sequencer__drain; end")
        lines.append("  always @* begin")
        for left, right in self._equations(rows):
            lines.append(f"    assert ({left} == {right});")
        return "\n".join([*lines, "  end", "endmodule\n"])

    def _shown(self) -> dict[str, int]:
        """The ports that the equations are about, and their widths."""
        mac = self.element.mac
        multiplier, rows, cols = mac.multiplier, self.rows, self.cols
        ports = array_bits(self.element, rows, cols)
        a_bits = rows * multiplier.activations.width
        widths = {
            "sequencer__in_valid": 1,
            "sequencer__in_last": 1,
            "sequencer__in_ready": 1,
            "sequencer__taken": 1,
            "sequencer__hold": 1,
            "sequencer__last": rows + 1,
            "sequencer__drain": rows,
            "activation_skew__data_in": a_bits,
            "activation_skew__data_out": a_bits,
            "activation_edge__data_in": a_bits,
            "activation_edge__data_out": rows * multiplier.activation_code_bits,
            "weight_skew__data_in": ports["in_w"],
            "weight_skew__data_out": ports["in_w"],
            "weight_edge__data_in": ports["in_w"],
            "weight_edge__data_out": cols * multiplier.weight_code_bits,
            "grid__activation_in": rows * multiplier.activation_code_bits,
            "grid__weight_in": cols * multiplier.weight_code_bits,
            "grid__last_in": rows,
            "grid__drain_in": rows,
            "grid__result_out": cols * mac.acc_bits,
            "corrections__result_in": cols * mac.acc_bits,
            "corrections__result_out": cols * mac.acc_bits,
            "result_skew__data_in": cols * mac.acc_bits,
            "result_skew__data_out": cols * mac.acc_bits,
        }
        if multiplier.row_scale:
            bits = mac.row_bias_bits
            widths |= {"row_biases__bias_out": bits, "row_bias_chain__data_in": bits}
            words = dict.fromkeys(
                ("row_bias_chain__data_out", "corrections__row_bias"), cols * bits
            )
            widths |= words
            widths |= {"row_biases__activation": rows * multiplier.activation_code_bits}
            widths |= {"row_biases__last": rows, "row_biases__drain": rows}
        if multiplier.column_scale:
            widths |= {"corrections__weight": cols * multiplier.weight_code_bits}
            widths |= {"grid__weight_out": cols * multiplier.weight_code_bits}
            widths |= {"last_chain__data_in": 1}
            widths |= {"last_chain__data_out": cols, "corrections__last": cols}
        return widths

    def _signs_and_magnitudes(self) -> list[str]:
        """Wires of those that enter, index by index; none in an unsigned format."""
        multiplier = self.element.mac.multiplier
        fmt = multiplier.signed_format
        if fmt is None:
            return []
        lines = []
        for index in range(self.rows * multiplier.k_per_cycle):
            byte, zero = f"in_a[{8 * index} +: 8]", "8'd0"
            negative = f"in_a[{8 * index + 7}]"
            if fmt.takes_zero_point:
                zero, negative = "zero_point", f"{byte} < zero_point"
            lines += [
                f"  wire negative{index} = {negative};",
                f"  wire [{fmt.magnitude_bits - 1}:0] size{index} = "
                f"negative{index} ? {zero} - {byte} : {byte} - {zero};",
            ]
        return lines

    def _entering(self) -> str:
        """What enters of a slice: its bytes, or their signs and magnitudes."""
        multiplier = self.element.mac.multiplier
        if multiplier.signed_format is None:
            return "in_a"
        indices = reversed(range(self.rows * multiplier.k_per_cycle))
        return f"{{{', '.join(f'negative{index}, size{index}' for index in indices)}}}"

    def _equations(self, rows: int) -> list[tuple[str, str]]:
        multiplier = self.element.mac.multiplier
        last = f"sequencer__last[{rows - 1}:0]"
        equations = [
            ("sequencer__in_valid", "in_valid"),
            ("sequencer__in_last", "in_last"),
            ("in_ready", "sequencer__in_ready"),
            ("sequencer__hold", "1'b0"),
            ("activation_skew__data_in", f"(sequencer__taken ? {self._entering()} : 0)"),
            ("activation_edge__data_in", "activation_skew__data_out"),
            ("weight_skew__data_in", "(sequencer__taken ? in_w : 0)"),
            ("weight_edge__data_in", "weight_skew__data_out"),
            ("grid__activation_in", "activation_edge__data_out"),
            ("grid__weight_in", "weight_edge__data_out"),
            ("grid__last_in", last),
            ("grid__drain_in", "sequencer__drain"),
            ("corrections__result_in", "grid__result_out"),
            ("result_skew__data_in", "corrections__result_out"),
            ("out_acc", "result_skew__data_out"),
        ]
        if multiplier.row_scale:
            factor = multiplier.row_scale // (multiplier.row_scale & -multiplier.row_scale)
            bits = multiplier.row_bias_bits(self.element.acc_bits)
            equations += [
                ("row_biases__activation", "activation_edge__data_out"),
                ("row_biases__last", f"sequencer__last[{rows}:1]"),
                ("(started ? row_biases__drain : 0)", "(started ? drain_was : 0)"),
                ("row_bias_chain__data_in", f"((row_biases__bias_out * {factor}) % (1 << {bits}))")
                if bits < 32
                else ("row_bias_chain__data_in", f"(row_biases__bias_out * {factor})"),
                ("corrections__row_bias", "row_bias_chain__data_out"),
            ]
        if multiplier.column_scale:
            equations += [
                ("corrections__weight", "grid__weight_out"),
                ("last_chain__data_in", f"sequencer__last[{rows}]"),
                ("corrections__last", "last_chain__data_out"),
            ]
        return equations

    def prove(self, rtl: Rtl, timeout: float, waveform: Path) -> Verdict:
        """Two cycles, from any state."""
        probes = {name: f"dut.{name.replace('__', '.')}" for name in self._shown()}
        return sat(rtl, self.statement, "-seq 2", timeout, waveform, probes)
