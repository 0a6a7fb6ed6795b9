"""The test bench of a matrix engine."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from gen.design.configuration import Configuration
from gen.driver.product import Bytes, EngineProduct
from gen.simulation.bench_text import (
    NEXT_RANDOM,
    NOISE_BITS,
    SHOWN_ERRORS,
    literal,
    memory,
    noise,
    signals,
    verdict,
)
from gen.simulation.compiled_engine import engine_shape
from gen.simulation.engine_expectation import expected_results
from gen.simulation.simulate_engine import (
    random_depth,
    random_engine_operands,
    random_parameters,
)
from golden.engine import Command, busy_cycles
from hdl.engine.engine_registers import IDENTIFICATION

MAX_BYTES = 200_000
"""Of words, as far as two products do not take more."""
MAX_SLICES = 20
MAX_TILES = 2
"""Of a product, in each direction."""
OPERANDS = ("activations", "weights", "parameters")
WRITE, READ, INTERRUPT = range(3)
"""Kinds of accesses; a read is repeated until it reads what it must. INTERRUPT waits for irq."""

Access = tuple[int, int, int, int]
"""Kind, address, bits that count, and the word to write or to read."""


def engine_bench(
    configuration: Configuration, sidecar: dict[str, Any], generator: np.random.Generator
) -> str:
    """Products of whole tiles, one command each, in all modes that the engine has.

    Everything is started by its registers. Operands come with gaps of noise, results are not always
    taken. Every word of results is compared, and where packets end; that a word that is offered
    stays; and at the end how many slices the machine took, and that there was no error.
    """
    widths = {port["name"]: port["width"] for port in sidecar["ports"]}
    products = _products(configuration, sidecar, generator)
    commands = [each.commands[0].command for each, _ in products]
    streams = {
        "activations": np.concatenate([each.activations() for each, _ in products]),
        "weights": np.concatenate([each.weights() for each, _ in products]),
        "parameters": np.concatenate([each.parameter_words() for each, _ in products]),
        "results": np.concatenate([words for _, words in products]),
    }
    lasts = {int(end) - 1 for end in np.cumsum([len(words) for _, words in products])}
    accesses = list(_accesses(configuration, sidecar, commands))
    counts = {name: len(words) for name, words in streams.items()}
    limit = 1000 + 16 * sum(counts.values()) + 20 * len(accesses)
    widest = max(widths[f"s_axis_{name}_tdata"] for name in OPERANDS)
    address_bits = widths["s_axi_control_awaddr"]
    lines = [
        f"module {sidecar['top']}_tb;",
        f"  localparam COMMANDS = {len(commands)}, ACCESSES = {len(accesses)};",
        f"  localparam {', '.join(f'{n.upper()} = {count}' for n, count in counts.items())};",
        f"  localparam QUIET = 100, LIMIT = {limit};",
        "",
        *signals(sidecar),
        "",
        "  // Accesses of registers: write (0), read until it is that (1), wait for irq (2).",
        memory("kind", 2, len(accesses)),
        memory("address", address_bits, len(accesses)),
        memory("counts", 32, len(accesses)),
        memory("word", 32, len(accesses)),
        "  // What streams, and which words of results end a packet.",
        *(memory(f"{name}_of", 8 * words.shape[1], len(words)) for name, words in streams.items()),
        memory("last_of", 1, counts["results"]),
        "  initial begin",
    ]
    for index, (kind, address, mask, word) in enumerate(accesses):
        lines.append(
            f"    kind[{index}] = {kind}; address[{index}] = {literal(address, address_bits)}; "
            f"counts[{index}] = {literal(mask, 32)}; word[{index}] = {literal(word, 32)};"
        )
    for name, words in streams.items():
        for index, row in enumerate(words):
            value = literal(int.from_bytes(row.tobytes(), "little"), 8 * words.shape[1])
            last = f" last_of[{index}] = {int(index in lasts)};" if name == "results" else ""
            lines.append(f"    {name}_of[{index}] = {value};{last}")
    zero = [port["name"] for port in sidecar["ports"] if port["direction"] == "input"]
    lines += [
        "  end",
        "",
        *noise(widest),
        "  integer cycle;",
        "  initial begin",
        f"    random = {literal(int(generator.integers(1, 1 << NOISE_BITS)), NOISE_BITS)};",
        "    cycle = 0;",
        *(f"    {name} = {1 if name == 'rst' else 0};" for name in zero if name != "clk"),
        "  end",
        "  always @(posedge clk) begin",
        "    cycle <= cycle + 1;",
        NEXT_RANDOM,
        "    rst <= cycle < 2;",
        "  end",
        "",
        "  integer errors;",
        "  initial errors = 0;",
        *verdict("%0d words of results, %0d commands", "taken", "COMMANDS"),
        "  task complain;",
        "    begin",
        "      errors = errors + 1;",
        f'      if (errors <= {SHOWN_ERRORS}) $write("cycle %0d: ", cycle);',
        "    end",
        "  endtask",
        "",
        *_register_accesses(),
        *(line for place, name in enumerate(OPERANDS) for line in _offer(name, place, widths)),
        *_compare(),
        "  // The end: all was done, and nothing more comes.",
        "  integer quiet;",
        "  initial quiet = 0;",
        "  always @(posedge clk) begin",
        "    quiet <= done == ACCESSES && taken == RESULTS ? quiet + 1 : 0;",
        "    if (cycle == LIMIT) begin",
        "      complain;",
        '      if (done < ACCESSES) $display("waiting for register %h, the access %0d",',
        "                                    address[done], done);",
        '      else $display("no more results; expected %0d words, not %0d", RESULTS, taken);',
        "      finish;",
        "    end else if (quiet == QUIET) finish;",
        "  end",
        "endmodule",
    ]
    return "\n".join(lines) + "\n"


def _products(
    configuration: Configuration, sidecar: dict[str, Any], generator: np.random.Generator
) -> list[tuple[EngineProduct, Bytes]]:
    """Products in every mode, and the words in which their results must leave."""
    shape = engine_shape(sidecar)
    most = MAX_SLICES * shape.k_per_cycle
    modes = [(False, False, False), (False, True, False)]  # exact, sums, encoded
    modes += [(True, False, False)] if shape.planes else []
    modes += [(False, False, True)] if shape.encoded_output else []
    found: list[tuple[EngineProduct, Bytes]] = []
    size = 0
    for mode in modes:
        depth = random_depth(configuration, shape, most, generator)
        tiles = generator.integers(1, MAX_TILES + 1, 2).tolist() if size < MAX_BYTES else [1, 1]
        m, n = tiles[0] * shape.rows, tiles[1] * shape.cols
        x, w, zero_point = random_engine_operands(configuration, m, depth, n, generator)
        parameters = random_parameters(n, generator, shape.multipoint)
        engine = shape, sidecar["weight_bits"], sidecar["sparse"]
        product = EngineProduct(*engine, x, w, parameters, *mode, zero_point)
        words = product.words(expected_results(configuration, x, w, parameters, *mode, zero_point))
        size += 2 * (product.activations().size + product.weights().size + words.size)
        if len(found) >= 2 and size > MAX_BYTES:
            break
        found.append((product, words))
    return found


def _accesses(
    configuration: Configuration, sidecar: dict[str, Any], commands: Sequence[Command]
) -> Iterator[Access]:
    """Of registers, in their order."""
    at, every = sidecar["engine"]["registers"], 0xFFFF_FFFF

    def write(name: str, word: int) -> Access:
        return WRITE, at[name], every, word

    def read(name: str, word: int, mask: int = every) -> Access:
        return READ, at[name], mask, word

    yield read("IDENTIFICATION", IDENTIFICATION)
    yield read("HASH_HIGH", int(configuration.hash[:8], 16))
    yield read("HASH_LOW", int(configuration.hash[8:], 16))
    yield write("INTERRUPT_ENABLE", 1)
    yield INTERRUPT, 0, 1, 0
    yield write("CONTROL", 1)
    for each in commands:
        yield write("TILES_M", each.tiles_m)
        yield write("TILES_N", each.tiles_n)
        yield write("DEPTH", each.depth)
        yield write("MODE", each.exact | each.sums << 1 | each.encoded << 2)
        if "ZERO_POINT" in at:
            yield write("ZERO_POINT", each.zero_point)
        yield read("STATUS", 0, 1 << 1)  # there is room for a command
        yield write("START", 1)
    yield read("COMPLETED", len(commands))
    yield read("STATUS", 1, 1)  # idle
    yield read("ERROR", 0)
    yield read("BUSY_LOW", sum(busy_cycles(engine_shape(sidecar), each) for each in commands))
    yield INTERRUPT, 0, 1, 1
    yield write("INTERRUPT", 1)
    yield INTERRUPT, 0, 1, 0


def _register_accesses() -> list[str]:
    return [
        "  // One access of a register after the other.",
        "  integer done;",
        "  reg under_way;",
        "  initial begin",
        "    done = 0; under_way = 0;",
        "  end",
        "  always @(posedge clk) if (!rst) begin",
        "    s_axi_control_bready <= 1; s_axi_control_rready <= 1;",
        "    if (s_axi_control_awready === 1'b1) s_axi_control_awvalid <= 0;",
        "    if (s_axi_control_wready === 1'b1) s_axi_control_wvalid <= 0;",
        "    if (s_axi_control_arready === 1'b1) s_axi_control_arvalid <= 0;",
        "    if (!under_way && done < ACCESSES) begin",
        "      if (kind[done] == 2) begin",
        "        if (irq === word[done][0]) done <= done + 1;",
        "      end else begin",
        "        under_way <= 1;",
        "        s_axi_control_awaddr <= address[done]; s_axi_control_araddr <= address[done];",
        "        s_axi_control_wdata <= word[done]; s_axi_control_wstrb <= 4'hf;",
        "        s_axi_control_awvalid <= kind[done] == 0;",
        "        s_axi_control_wvalid <= kind[done] == 0;",
        "        s_axi_control_arvalid <= kind[done] == 1;",
        "      end",
        "    end",
        "    if (under_way && kind[done] == 0 && s_axi_control_bready",
        "        && s_axi_control_bvalid !== 1'b0) begin",
        "      under_way <= 0;",
        "      done <= done + 1;",
        "      if (s_axi_control_bvalid !== 1'b1 || s_axi_control_bresp !== 2'd0) begin",
        "        complain;",
        f"        if (errors <= {SHOWN_ERRORS})",
        '          $display("write of %h: bvalid %b, bresp %b", address[done],',
        "                   s_axi_control_bvalid, s_axi_control_bresp);",
        "      end",
        "    end",
        "    if (under_way && kind[done] == 1 && s_axi_control_rready",
        "        && s_axi_control_rvalid !== 1'b0) begin",
        "      under_way <= 0;",
        "      if ((s_axi_control_rdata & counts[done]) === word[done]) done <= done + 1;",
        "      if (s_axi_control_rvalid !== 1'b1 || s_axi_control_rresp !== 2'd0) begin",
        "        complain;",
        f"        if (errors <= {SHOWN_ERRORS})",
        '          $display("read of %h: rvalid %b, rresp %b", address[done],',
        "                   s_axi_control_rvalid, s_axi_control_rresp);",
        "      end",
        "    end",
        "  end",
        "",
    ]


def _offer(name: str, place: int, widths: dict[str, int]) -> list[str]:
    port = f"s_axis_{name}"
    low = 4 * place
    return [
        f"  // Offer the words of {name} with random gaps, in which all is noise.",
        f"  integer next_{name};",
        f"  initial next_{name} = 0;",
        "  always @(posedge clk)",
        f"    if (!rst && (!{port}_tvalid || {port}_tready === 1'b1)) begin",
        f"      if (next_{name} < {name.upper()} && random[{low + 1}:{low}] != 2'd0) begin",
        f"        {port}_tvalid <= 1; {port}_tdata <= {name}_of[next_{name}];",
        f"        next_{name} <= next_{name} + 1;",
        "      end else begin",
        f"        {port}_tvalid <= 0; {port}_tdata <= noise[{widths[f'{port}_tdata'] - 1}:0];",
        "      end",
        "    end",
        "",
    ]


def _compare() -> list[str]:
    return [
        "  // Take results in some cycles, and compare them.",
        "  integer taken;",
        "  reg held;",
        "  initial begin",
        "    taken = 0; held = 0;",
        "  end",
        "  always @(posedge clk) if (!rst) begin",
        "    m_axis_results_tready <= random[14:13] != 2'd0;",
        "    held <= m_axis_results_tvalid && !m_axis_results_tready;",
        "    if (m_axis_results_tvalid !== 1'b0 && taken == RESULTS) begin",
        "      complain;",
        f'      if (errors <= {SHOWN_ERRORS}) $display("a word of results too many");',
        "    end else if (m_axis_results_tvalid !== 1'b0 || held) begin",
        "      if (m_axis_results_tvalid !== 1'b1 || m_axis_results_tlast !== last_of[taken]",
        "          || m_axis_results_tdata !== results_of[taken]) begin",
        "        complain;",
        f"        if (errors <= {SHOWN_ERRORS})",
        '          $display("word %0d: valid %b, last %b, data %h; expected last %b, data %h",',
        "                   taken, m_axis_results_tvalid, m_axis_results_tlast,",
        "                   m_axis_results_tdata, last_of[taken], results_of[taken]);",
        "      end",
        "      if (m_axis_results_tready) taken <= taken + 1;",
        "    end",
        "  end",
        "",
    ]
