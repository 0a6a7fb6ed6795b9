"""Registers behind an AXI4-Lite port: every access does what the table says, and nothing else."""

from collections.abc import Iterator
from pathlib import Path

from gen.proof.job import Job, Rtl
from gen.proof.solver import sat
from gen.proof.verdict import Verdict
from gen.verilog.emission import Emission
from golden import NamedFormat
from hdl.accelerator.accelerator_registers import accelerator_registers
from hdl.bus.register_file import RegisterFile
from hdl.bus.register_map import LOCK_PORT, Access, Field, Register, RegisterMap
from hdl.engine.engine_registers import engine_registers

ENGINE = engine_registers(
    rows=16,
    cols=16,
    k_per_cycle=2,
    weight_bits=8,
    acc_bits=32,
    weight_depth=1024,
    lanes=4,
    planes=3,
    result_tiles=2,
    command_depth=4,
    stream_bits=0,
    configuration_hash="0123456789abcdef",
    version=(1, 2, 3),
    format=NamedFormat("s5opt"),
    encoded_input=False,
    encoded_output=False,
)
"""One of signed activations: it has all registers that there are."""

ACCELERATOR = accelerator_registers(
    rows=16,
    cols=16,
    k_per_cycle=2,
    weight_bits=8,
    acc_bits=32,
    planes=3,
    weight_depth=1024,
    lines=256,
    beat_bytes=16,
    configuration_hash="0123456789abcdef",
    version=(1, 2, 3),
    format=NamedFormat("5opt"),
)

SLAVE_INPUTS = {"awvalid": 1, "wdata": 32, "wstrb": 4, "wvalid": 1, "bready": 1}
SLAVE_INPUTS |= {"arvalid": 1, "rready": 1}
SLAVE_OUTPUTS = {"awready": 1, "wready": 1, "bresp": 2, "bvalid": 1}
SLAVE_OUTPUTS |= {"arready": 1, "rdata": 32, "rresp": 2, "rvalid": 1}
"""The AXI4-Lite port, but for its addresses."""
INSIDE = {"awake": 1, "address_held": 1, "word_held": 1, "word": 32, "strobes": 4}
"""Registers that no port shows."""
WRITABLE = (Access.READ_WRITE, Access.WRITE_ONE_TO_CLEAR, Access.PULSE)


class RegistersJob(Job):
    """What each register and each response of a register file is in the next cycle.

    It is stated for all inputs and from any state: a read answers with the word of its address as
    it was when that was taken, an address without a register with SLVERR; a write changes the
    bytes asked for of what can be written there, and nothing else, and is refused where nothing
    can be, or where the register is locked. Responses stay until they are taken; reset gives every
    field its value.
    """

    property_name = "registers"
    says = "every access answers and changes what the table says; a refused one changes nothing"
    method = "SAT, induction"
    depth = "unbounded"

    def __init__(self, registers: RegisterMap):
        self.registers = registers
        self.configuration = registers.name

    def rtl(self) -> Rtl:
        """The register file."""
        return {"registers": Emission("registers").verilog(RegisterFile(self.registers))}

    def _fields(self, *kinds: Access) -> Iterator[tuple[Register, Field, str]]:
        for register in self.registers.registers:
            for field in register.fields:
                if field.access in kinds:
                    yield register, field, f"{register.name}_{field.name}".lower()

    def _inputs(self) -> dict[str, int]:
        given = {name: field.bits for _, field, name in self._fields(Access.READ)}
        sets = self._fields(Access.WRITE_ONE_TO_CLEAR)
        given |= {f"set_{name}": field.bits for _, field, name in sets}
        return given | ({LOCK_PORT: 1} if self.registers.locks else {})

    def _outputs(self) -> dict[str, int]:
        return {name: field.bits for _, field, name in self._fields(*WRITABLE)}

    @property
    def statement(self) -> str:
        """``next_x`` is what ``x`` must be in the next cycle, ``was_x`` what it must be in this."""
        addresses = dict.fromkeys(("awaddr", "araddr"), self.registers.address_bits)
        slave = {**addresses, **SLAVE_INPUTS, **SLAVE_OUTPUTS}
        inputs = {**addresses, **SLAVE_INPUTS, **self._inputs()}
        outputs = {**SLAVE_OUTPUTS, **self._outputs()}
        inner = {**INSIDE, "address": self.registers.address_bits - 2}
        ports = "".join(f", input [{width - 1}:0] {name}" for name, width in inputs.items())
        lines = [f"module claim(input clk, input rst{ports});"]
        lines += [f"  wire [{width - 1}:0] {name};" for name, width in outputs.items()]
        lines += [f"  (* keep *) wire [{width - 1}:0] {name};" for name, width in inner.items()]
        wired = [f".s_axi_control_{name}({name})" for name in slave]
        wired += [f".{name}({name})" for name in {**self._inputs(), **self._outputs()}]
        lines.append(f"  registers dut(.clk(clk), .rst(rst), {', '.join(wired)});")
        lines.append("  wire [31:0] bytes =")
        lines.append("    {{8{strobes[3]}}, {8{strobes[2]}}, {8{strobes[1]}}, {8{strobes[0]}}};")
        lines.append("  wire write = address_held && word_held && !bvalid;")
        lines.append("  wire read = arready && arvalid;")
        lines.append("  wire answered = bvalid && bready && !write;")
        lines.append("  reg started = 0;")

        following = {**self._slave(), **self._field_values()}
        widths = {**slave, **inner, **outputs}
        lines += [f"  reg [{widths[name] - 1}:0] was_{name};" for name in following]
        lines.append("  always @(posedge clk) begin")
        lines.append("    started <= 1;")
        lines += [f"    was_{name} <= {value};" for name, value in following.items()]
        lines += ["  end", "  always @* begin"]
        lines.append("    assert (arready == (awake && !rvalid));")
        lines.append("    assert (awready == (awake && !address_held));")
        lines.append("    assert (wready == (awake && !word_held));")
        lines += ["  end", "  always @* if (started) begin"]
        # What a channel carries counts where it is valid alone, and what waits where it does.
        when = {"rdata": "rvalid", "rresp": "rvalid", "bresp": "bvalid"}
        when |= {"address": "address_held", "word": "word_held", "strobes": "word_held"}
        for name in following:
            condition = f"!{when[name]} || " if name in when else ""
            lines.append(f"    assert ({condition}{name} == was_{name});")
        return "\n".join([*lines, "  end", "endmodule\n"])

    def _slave(self) -> dict[str, str]:
        """What belongs to the port."""
        read = f"araddr[{self.registers.address_bits - 1}:2]"
        known = [f"{read} == {register.offset // 4}" for register in self.registers.registers]
        writes = dict.fromkeys(_written(register) for register, *_ in self._fields(*WRITABLE))
        return {
            "awake": "!rst",
            "rvalid": "!rst && (rvalid ? !rready : read)",
            "rdata": f"rvalid ? rdata : {self._word(read)}",
            "rresp": f"rvalid ? rresp : ({' || '.join(known)}) ? 0 : 2",
            "bvalid": "!rst && (write || (bvalid && !bready))",
            "bresp": f"!write ? bresp : ({' || '.join(writes)}) ? 0 : 2",
            "address_held": "!rst && !answered && (address_held || (awready && awvalid))",
            "word_held": "!rst && !answered && (word_held || (wready && wvalid))",
            "address": "awready && awvalid ? awaddr >> 2 : address",
            "word": "wready && wvalid ? wdata : word",
            "strobes": "wready && wvalid ? wstrb : strobes",
        }

    def _word(self, address: str) -> str:
        """The word at that address: a sum of fields at their places."""
        text = "32'd0"
        for register in self.registers.registers:
            terms = ["32'd0"]
            for field in register.fields:
                name = f"{register.name}_{field.name}".lower()
                value = f"32'd{field.value}" if field.access is Access.CONSTANT else name
                if field.access is not Access.PULSE:
                    terms.append(f"({value} * 32'd{1 << field.low_bit})")
            text = f"{address} == {register.offset // 4} ? {' + '.join(terms)} : {text}"
        return f"({text})"

    def _field_values(self) -> dict[str, str]:
        values = {}
        for register, field, name in self._fields(*WRITABLE):
            here = f"(write && {_written(register)})"
            bits = f"[{field.low_bit + field.bits - 1}:{field.low_bit}]"
            new, mask = f"word{bits}", f"bytes{bits}"
            if field.access is Access.READ_WRITE:
                value = f"{here} ? ({new} & {mask}) | ({name} & ~{mask}) : {name}"
            elif field.access is Access.PULSE:
                value = f"{here} && {new} && {mask}"
            else:
                cleared = f"({here} && ({new} & {mask}) != 0)"
                value = f"{name} == 0 || {cleared} ? set_{name} : {name}"
            values[name] = f"rst ? {field.value} : ({value})"
        return values

    def prove(self, rtl: Rtl, timeout: float, waveform: Path) -> Verdict:
        """Two cycles, from any state."""
        probes = {name: f"dut.{name}" for name in [*INSIDE, "address"]}
        return sat(rtl, self.statement, "-seq 2", timeout, waveform, probes)


def _written(register: Register) -> str:
    """Whether a write to ``address`` is one to this register, and is not refused."""
    place = f"address == {register.offset // 4}"
    return f"({place} && !{LOCK_PORT})" if register.locks else f"({place})"
