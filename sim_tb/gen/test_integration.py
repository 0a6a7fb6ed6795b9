"""What docs/integration.md says and shows: its examples compile and run, its pictures are drawn."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import schemdraw

from gen.design.configuration import Configuration
from gen.documentation.engine_figures import engine_figures
from gen.driver import DRIVER
from gen.tools.verilator import environment
from gen.verilog.generate import generate
from sim_tb.repository.sources import ROOT
from support.cpp import cpp_compiler
from support.files import write_files

PAGE = (ROOT / "docs/integration.md").read_text(encoding="utf-8")


def example(language: str) -> str:
    """The one example in that language."""
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return str(found)


ENGINE = Configuration(top="engine", rows=4, cols=4)
"""The engine of the example."""

DMA = """
module mm2s #(parameter BITS = 8) (
    input clk,
    input rst,
    output m_axis_tvalid,
    input m_axis_tready,
    output [BITS-1:0] m_axis_tdata
);
  reg [BITS-1:0] words[0:1023];
  reg [31:0] count = 0;
  reg [31:0] sent;
  assign m_axis_tvalid = sent < count;
  assign m_axis_tdata  = words[sent[9:0]];
  always @(posedge clk) begin
    if (rst) sent <= 0;
    else if (m_axis_tvalid && m_axis_tready) sent <= sent + 1;
  end
endmodule

module s2mm #(parameter BITS = 8) (
    input clk,
    input rst,
    input s_axis_tvalid,
    output s_axis_tready,
    input [BITS-1:0] s_axis_tdata,
    input s_axis_tlast
);
  reg [BITS-1:0] words[0:1023];
  reg [31:0] received;
  reg done;
  reg pause;
  assign s_axis_tready = !done && !pause;
  always @(posedge clk) begin
    pause <= !pause && !rst;
    if (rst) begin
      received <= 0;
      done <= 0;
    end else if (s_axis_tvalid && s_axis_tready) begin
      words[received[9:0]] <= s_axis_tdata;
      received <= received + 1;
      done <= s_axis_tlast;
    end
  end
endmodule
"""
"""Models of DMA channels: one sends ``count`` words of its memory, one takes a packet."""


@pytest.mark.parametrize(
    "language", [["c", "-std=c99"], ["c++", "-std=c++17"]], ids=lambda it: it[0]
)
def test_the_c_example_compiles(language: list[str], tmp_path: Path) -> None:
    write_files(tmp_path, {"example.c": example("c"), DRIVER.name: DRIVER.read_text()})
    warnings = ["-Wall", "-Wextra", "-Werror", "-pedantic"]
    command = [*cpp_compiler(), "-x", *language, *warnings, "-c", "example.c", "-o", "example.o"]
    subprocess.run(command, cwd=tmp_path, check=True)


@pytest.mark.slow
def test_the_wiring_is_clean(tmp_path: Path) -> None:
    """Every port is connected, with its width."""
    files = {"engine.v": generate(ENGINE, "engine").verilog, "dma.v": DMA}
    files["accelerator.v"] = example("verilog")
    write_files(tmp_path, files)
    command = ["verilator", "--lint-only", "--top-module", "accelerator"]
    result = subprocess.run(
        [*command, *files],
        cwd=tmp_path,
        env={**os.environ, **environment(tmp_path / "tools")},
        capture_output=True,
        text=True,
    )
    assert (result.returncode, "%" in result.stderr) == (0, False), result.stderr


@pytest.mark.full
def test_the_python_example_runs(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", example("python")]
    result = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert (result.returncode, result.stdout) == (0, "True\n"), result.stderr
    assert (tmp_path / "activations.bin").stat().st_size == 3 * 2 * 4 * 2 * 2


@pytest.mark.slow
def test_pictures_are_those_of_the_simulation() -> None:
    """make figures draws them anew."""
    schemdraw.use("svg")
    figures = engine_figures()
    for name, text in figures.items():
        assert f"({name}.svg)" in PAGE
        drawn = (ROOT / "docs" / f"{name}.svg").read_text(encoding="utf-8")
        # Drawings of one process have numbers.
        assert re.sub(r"clip\d+", "clip", drawn) == re.sub(r"clip\d+", "clip", text)
