"""The contract of elements, by induction: what enters leaves one cycle later; results drain."""

from pathlib import Path

from gen.proof.accumulator_nets import read_accumulator
from gen.proof.element import element_rtl
from gen.proof.gates import Gates
from gen.proof.job import ElementJob, Rtl
from gen.proof.solver import sat
from gen.proof.verdict import Verdict
from gen.verilog.emission import Emission
from hdl.edge.column_correction import ColumnCorrection

INDUCTION = "-tempinduct -maxsteps 4"


class ContractJob(ElementJob):
    """What neighbours see of an element.

    Operands and control leave it one cycle after they entered; a result register that no last
    loads takes its upper neighbour's with drain, and stays as it is without.
    """

    property_name = "contract"
    says = "what enters an element leaves it one cycle later; its result register drains or holds"
    method = "SAT, induction"
    depth = "unbounded"

    def rtl(self) -> Rtl:
        """The element."""
        return {"pe": element_rtl(self.element)["pe"]}

    @property
    def statement(self) -> str:
        """Registers of the property hold the inputs and control of the cycle before."""
        mac = self.element.mac
        widths = {
            "last": 1,
            "drain": 1,
            "activation": mac.multiplier.activation_code_bits,
            "weight": mac.multiplier.weight_code_bits,
            "result": mac.acc_bits,
        }
        ports = [f"input [{width - 1}:0] {name}_in" for name, width in widths.items()]
        pins = [f".{name}_{way}({name}_{way})" for name in widths for way in ("in", "out")]
        lines = [f"module claim(input clk, input rst, {', '.join(ports)});"]
        lines += [f"  wire [{width - 1}:0] {name}_out;" for name, width in widths.items()]
        lines += [f"  pe dut(.clk(clk), .rst(rst), {', '.join(pins)});"]
        lines += ["  reg started = 0, was_reset;"]
        lines += [f"  reg [{width - 1}:0] {name}_was;" for name, width in widths.items()]
        lines += [f"  reg loads, drains; reg [{mac.acc_bits - 1}:0] held;"]
        lines += ["  always @(posedge clk) begin started <= 1; was_reset <= rst;"]
        lines += [f"    {name}_was <= {name}_in;" for name in widths]
        lines += ["    loads <= last_out; drains <= drain_out; held <= result_out; end"]
        lines += ["  always @* if (started) begin"]
        for name in ("activation", "weight"):
            lines.append(f"    assert ({name}_out == {name}_was);")
        for name in ("last", "drain"):
            lines.append(f"    assert ({name}_out == (was_reset ? 1'b0 : {name}_was));")
        lines += ["    assert (loads || result_out == (drains ? result_was : held));"]
        return "\n".join([*lines, "  end", "endmodule\n"])

    def prove(self, rtl: Rtl, timeout: float, waveform: Path) -> Verdict:
        """Induction of one step."""
        return sat(rtl, self.statement, INDUCTION, timeout, waveform)


class CorrectionJob(ElementJob):
    """The end of a column: what leaves it is the result, less both biases.

    The bias of the row comes one cycle later than the result; that of the column is what was
    accumulated, times its scale, when the last one came.
    """

    property_name = "correction"
    says = "what leaves a column is the element's result less the accumulated biases"
    method = "SAT, induction"
    depth = "unbounded"

    def rtl(self) -> Rtl:
        """The correction of a column."""
        correction = ColumnCorrection(self.element.mac)
        return {"column_correction": Emission("column_correction").verilog(correction)}

    @property
    def statement(self) -> str:
        """With wires ``total`` and ``held`` that show what is inside."""
        mac = self.element.mac
        multiplier, bits = mac.multiplier, mac.acc_bits
        widths = {"result_in": bits}
        pins = [".result_in(result_in)", ".result_out(result_out)", ".clk(clk)", ".rst(rst)"]
        lines: list[str] = []
        exact = "result_was"
        if multiplier.row_scale:
            widths["row_bias"] = multiplier.row_bias_bits(bits)
            pins.append(".row_bias(row_bias)")
            exact += f" - (row_bias * {multiplier.row_scale & -multiplier.row_scale})"
        if multiplier.column_scale:
            widths |= {"weight": multiplier.weight_code_bits, "last": 1}
            pins += [".weight(weight)", ".last(last)"]
            scale = multiplier.column_scale
            product_bits = bits + scale.bit_length()
            lines += [
                f"  (* keep *) wire [{bits - 1}:0] total, held;",
                f"  wire [{product_bits - 1}:0] product = total * {scale.bit_length()}'d{scale};",
                f"  reg [{bits - 1}:0] bias; reg loaded = 0;",
                "  always @(posedge clk) if (last) begin loaded <= 1; bias <= product; end",
            ]
            exact += " - bias"
        ports = [f"input [{width - 1}:0] {name}" for name, width in widths.items()]
        head = [f"module claim(input clk, input rst, {', '.join(ports)});"]
        head += [f"  wire [{bits - 1}:0] result_out;"]
        head += [f"  column_correction dut({', '.join(pins)});", "  reg started = 0;"]
        head += [f"  reg [{bits - 1}:0] result_was;"]
        lines += ["  always @(posedge clk) begin started <= 1; result_was <= result_in; end"]
        lines += [f"  wire [{bits - 1}:0] exact = {exact};", "  always @* if (started) begin"]
        if multiplier.column_scale:
            lines.append("    assert (!loaded || held == bias);")
        condition = "!loaded || " if multiplier.column_scale else ""
        lines += [f"    assert ({condition}result_out == exact);", "  end", "endmodule\n"]
        return "\n".join([*head, *lines])

    def prove(self, rtl: Rtl, timeout: float, waveform: Path) -> Verdict:
        """Induction of one step; the total is shown by nets that ``accumulation`` is about."""
        probes = {}
        if self.element.mac.multiplier.column_scale:
            gates = Gates.of(rtl["column_correction"], "column_correction", timeout)
            counted = read_accumulator(gates).counted
            nets = [*(f"dut.{gates.name(net)}" for net in reversed(counted)), "dut.accumulator_low"]
            probes = {"total": ",".join(nets), "held": "dut.held"}
        return sat(rtl, self.statement, INDUCTION, timeout, waveform, probes)
