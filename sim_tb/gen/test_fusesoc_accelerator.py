"""A core of another project gets an accelerator by FuseSoC, and simulates a network on it."""

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from gen.compiler.accelerator import accelerator_shape
from gen.compiler.compile import compile_network
from gen.compiler.image import MemoryImage
from gen.design.configuration import Configuration
from gen.verilog.generate import generate
from golden.accelerator.program import Machine
from golden.accelerator.shape import Bytes
from golden.descriptor import Error
from sim_tb.gen.test_accelerator_main import GRAPHS, random_images
from sim_tb.gen.test_compiler import quantized
from sim_tb.gen.test_fusesoc import CONTROL_PORT, CONTROL_SIGNALS, CONTROL_WRITE, run
from sim_tb.repository.sources import ROOT
from support.files import write_files

PAGE = (ROOT / "docs" / "accelerator.md").read_text(encoding="utf-8")
NPU = Configuration(top="accelerator", rows=4, cols=4, scratchpad=1, memory_bits=64)
"""The accelerator of the page."""

BENCH = f"""
module bench;
{CONTROL_SIGNALS}
  // A memory that reads and writes a burst at a time.
  reg [63:0] words[0:WORDS-1];
  reg [63:0] expected[0:WORDS-1];
  wire [63:0] read_address, write_address, write_data;
  wire [7:0] read_length;
  wire read_asked, read_taken, write_asked, write_valid, write_last, response_taken;
  reg reading = 0, writing = 0, answering = 0;
  reg [7:0] left;
  reg [31:0] read_word, write_word;
  always @(posedge clk) begin
    if (!reading && read_asked) begin
      reading <= 1;
      left <= read_length;
      read_word <= read_address[34:3];
    end else if (reading && read_taken) begin
      reading <= left != 0;
      left <= left - 1;
      read_word <= read_word + 1;
    end
    if (!writing && !answering && write_asked) begin
      writing <= 1;
      write_word <= write_address[34:3];
    end else if (writing && write_valid) begin
      words[write_word] <= write_data;
      write_word <= write_word + 1;
      writing <= !write_last;
      answering <= write_last;
    end else if (answering && response_taken) answering <= 0;
  end

  npu dut (
{CONTROL_PORT}      .m_axi_memory_arid(),
      .m_axi_memory_araddr(read_address),
      .m_axi_memory_arlen(read_length),
      .m_axi_memory_arsize(),
      .m_axi_memory_arburst(),
      .m_axi_memory_arcache(),
      .m_axi_memory_arprot(),
      .m_axi_memory_arvalid(read_asked),
      .m_axi_memory_arready(!reading),
      .m_axi_memory_rid(1'b0),
      .m_axi_memory_rdata(words[read_word]),
      .m_axi_memory_rresp(2'd0),
      .m_axi_memory_rlast(left == 0),
      .m_axi_memory_rvalid(reading),
      .m_axi_memory_rready(read_taken),
      .m_axi_memory_awid(),
      .m_axi_memory_awaddr(write_address),
      .m_axi_memory_awlen(),
      .m_axi_memory_awsize(),
      .m_axi_memory_awburst(),
      .m_axi_memory_awcache(),
      .m_axi_memory_awprot(),
      .m_axi_memory_awvalid(write_asked),
      .m_axi_memory_awready(!writing && !answering),
      .m_axi_memory_wdata(write_data),
      .m_axi_memory_wstrb(),
      .m_axi_memory_wlast(write_last),
      .m_axi_memory_wvalid(write_valid),
      .m_axi_memory_wready(writing),
      .m_axi_memory_bid(1'b0),
      .m_axi_memory_bresp(2'd0),
      .m_axi_memory_bvalid(answering),
      .m_axi_memory_bready(response_taken),
      .irq(irq)
  );

{CONTROL_WRITE}
  integer index;
  integer errors = 0;
  integer waited = 0;
  initial begin
    $readmemh("FOLDER/before.hex", words);
    $readmemh("FOLDER/after.hex", expected);
    repeat (2) @(negedge clk);
    rst = 0;
WRITES
    while (!irq && waited < 20000) begin
      @(negedge clk);
      waited = waited + 1;
    end
    for (index = 0; index < WORDS; index = index + 1)
      if (words[index] !== expected[index]) errors = errors + 1;
    if (irq && errors == 0) $display("PASS: %0d words", index);
    else $display("FAIL: %0d errors", errors);
    $finish;
  end
endmodule
"""
"""Writes registers, and compares memory when the interrupt comes."""


def words_of(memory: Bytes) -> str:
    """A line for each word of 64 bits, in hexadecimal digits."""
    return "".join(f"{word:016x}\n" for word in memory.view("<u8"))


def bench(folder: Path, image: MemoryImage, registers: Mapping[str, int]) -> str:
    """The bench of a program, its memories being files in ``folder``."""
    values = {
        **{"READS_LOW": image.reads.start, "READS_SIZE": image.reads.size},
        **{"WRITES_LOW": image.writes.start, "WRITES_SIZE": image.writes.size},
        **{"INTERRUPT_ENABLE": 3, "START": 1},
    }
    writes = "\n".join(f"    write({registers[name]}, {value});" for name, value in values.items())
    text = BENCH.replace("WRITES", writes).replace("FOLDER", str(folder))
    return text.replace("WORDS", str(image.size // 8))


@pytest.mark.full
def test_an_accelerator_simulates(tmp_path: Path) -> None:
    """The core of the documentation runs a network; and with a wrong byte expected."""
    (core,) = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    shape = accelerator_shape(NPU)
    network = quantized(shape, GRAPHS["sums"], random_images("sums", 6))
    image = compile_network(shape, network).image
    memory = image.memory()
    image.write_input(memory, network.quantize_images(random_images("sums", 1))[0])
    before = words_of(memory)
    assert Machine(shape, memory, image.reads, image.writes).run(0).error is Error.NONE
    assert words_of(memory) != before
    cores = tmp_path / "cores"
    registers = generate(NPU, "npu").sidecar["accelerator"]["registers"]
    files = {"npu.core": core, "bench.v": bench(cores, image, registers), "before.hex": before}
    for said in (f"PASS: {image.size // 8} words", "FAIL: 1 errors"):
        write_files(cores, {**files, "after.hex": words_of(memory)})
        result = run(tmp_path, "run", "--target=sim", "::npu_system:0")
        assert result.returncode == 0, result.stdout + result.stderr
        assert said in (result.stdout + result.stderr).splitlines()
        memory[image.output.address] ^= 1


def test_the_page_names_this_accelerator() -> None:
    """Its parameters are those of the bench."""
    (parameters,) = re.findall(r"parameters: {(.*?)}", PAGE)
    given = dict(re.findall(r"(\w+): (\w+)", parameters))
    assert given.pop("name") == "npu"
    assert given == {
        name: str(NPU.canonical[name])
        for name in ("top", "rows", "cols", "scratchpad", "memory_bits")
    }
