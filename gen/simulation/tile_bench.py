"""The test bench of a machine that multiplies tiles."""

from typing import Any

import numpy as np

from gen.design.configuration import Configuration
from gen.design.expectation import expected_product, random_operands
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
from gen.simulation.tiling import ArrayShape

MAX_BYTES = 200_000
"""Of vectors, as far as two tiles do not take more."""
MAX_SLICES = 40
HANDSHAKE = ("clk", "rst", "in_valid", "in_last")


def tile_bench(
    configuration: Configuration, sidecar: dict[str, Any], generator: np.random.Generator
) -> str:
    """Tiles of one slice to more than the machine has rows, with gaps of noise between slices.

    Every row of results is compared, and the cycle of each tile's first one, and how long
    ``in_ready`` stays low.
    """
    shape = ArrayShape.of(sidecar)
    widths = {port["name"]: port["width"] for port in sidecar["ports"]}
    operands = shape.operands
    loads: list[str] = []
    slices = rows = tiles = size = 0
    for count in _slice_counts(shape.rows):
        depth = max(1, count * shape.k_per_cycle - int(generator.integers(shape.k_per_cycle)))
        depth = min(depth, configuration.max_reduction)
        matrices = random_operands(configuration, depth, generator)
        expected = expected_product(configuration, *matrices)
        words = [list(map(_number, column)) for column in shape.slices(*matrices)]
        lines = [f"    // Tile {tiles}: {shape.rows} x {depth} x {shape.cols}"]
        for index, values in enumerate(zip(*words, strict=True)):
            ends = int(index == len(words[0]) - 1)
            assignments = [f"last[{slices + index}] = {ends};"] + [
                f"{name}_of[{slices + index}] = {literal(value, widths[name])};"
                for name, value in zip(operands, values, strict=True)
            ]
            lines.append("    " + " ".join(assignments))
        for index, row in enumerate(expected[::-1].tolist()):
            value = sum(
                (int(total) % (1 << shape.acc_bits)) << (shape.acc_bits * column)
                for column, total in enumerate(row)
            )
            lines.append(f"    expected[{rows + index}] = {literal(value, widths['out_acc'])};")
        size += sum(map(len, lines))
        if tiles >= 2 and size > MAX_BYTES:
            break
        loads += lines
        slices, rows, tiles = slices + len(words[0]), rows + shape.rows, tiles + 1

    stall = sidecar["max_stall_cycles"]
    limit = 100 + 8 * slices + tiles * (stall + 1) + sidecar["latency"] + shape.rows
    widest = max(widths[name] for name in operands)
    lines = [
        f"module {sidecar['top']}_tb;",
        f"  localparam ROWS = {shape.rows}, COLS = {shape.cols}, ACC_BITS = {shape.acc_bits};",
        f"  localparam TILES = {tiles}, SLICES = {slices};",
        f"  localparam LATENCY = {sidecar['latency']};  // from the last slice to the first row",
        f"  localparam DRAIN = {sidecar['drain_cycles']};  // least cycles between last slices",
        f"  localparam STALL = {stall};  // most cycles for which in_ready stays low",
        f"  localparam QUIET = {2 * shape.rows + sidecar['latency']}, LIMIT = {limit};",
        "",
        *signals(sidecar),
        "",
        "  // The slices, and the rows of results, the bottom row of each tile first.",
        memory("last", 1, slices),
        *(memory(f"{name}_of", widths[name], slices) for name in operands),
        memory("expected", widths["out_acc"], rows),
        "  initial begin",
        *loads,
        "  end",
        "",
        "  // Offer slices with random gaps, in which all is noise.",
        *noise(widest),
        "  integer cycle, next;",
        "  initial begin",
        f"    random = {literal(int(generator.integers(1, 1 << NOISE_BITS)), NOISE_BITS)};",
        "    cycle = 0; next = 0; rst = 1; in_valid = 0; in_last = 0;",
        f"    {' '.join(f'{name} = 0;' for name in operands)}",
        "  end",
        "  always @(posedge clk) begin",
        "    cycle <= cycle + 1;",
        NEXT_RANDOM,
        "    rst <= cycle < 2;",
        "    if (!rst && (!in_valid || in_ready === 1'b1)) begin",
        "      if (next < SLICES && random[1:0] != 2'd0) begin",
        "        in_valid <= 1; in_last <= last[next];",
        *(f"        {name} <= {name}_of[next];" for name in operands),
        "        next <= next + 1;",
        "      end else begin",
        "        in_valid <= 0; in_last <= random[2];",
        *(f"        {name} <= noise[{widths[name] - 1}:0];" for name in operands),
        "      end",
        "    end",
        "  end",
        "",
        "  // Compare what comes out.",
        "  integer errors, row, column, quiet, stalled, ended, sent;",
        "  integer due [0:TILES - 1];",
        "  initial begin",
        "    errors = 0; row = 0; quiet = 0; stalled = 0; ended = 0; sent = -DRAIN;",
        "  end",
        f"  wire [{widths['out_acc'] - 1}:0] wanted = expected[row < ROWS * TILES ? row : 0];",
        *verdict("%0d rows of results, %0d sums", "row", "row * COLS"),
        "  task complain;",
        "    begin",
        "      errors = errors + 1;",
        f"      if (errors <= {SHOWN_ERRORS})",
        '        $write("cycle %0d, tile %0d, row %0d: ", cycle, row / ROWS,',
        "               ROWS - 1 - row % ROWS);",
        "    end",
        "  endtask",
        "  always @(posedge clk) begin",
        "    if (!rst) begin",
        "      stalled = in_ready === 1'b1 ? 0 : stalled + 1;",
        "      if (stalled > STALL) begin",
        "        complain;",
        f'        if (errors <= {SHOWN_ERRORS}) $display("in_ready is low for too long");',
        "      end",
        "      if (in_valid && in_ready === 1'b1 && in_last) begin",
        "        sent = cycle > sent + DRAIN ? cycle : sent + DRAIN;",
        "        due[ended] = sent + LATENCY;",
        "        ended = ended + 1;",
        "      end",
        "      if (out_valid !== 1'b0 && row == ROWS * TILES) begin",
        "        complain;",
        f'        if (errors <= {SHOWN_ERRORS}) $display("a row too many");',
        "      end else if (out_valid !== 1'b0) begin",
        "        if (row % ROWS == 0 && (row / ROWS >= ended || due[row / ROWS] != cycle)) begin",
        "          complain;",
        f'          if (errors <= {SHOWN_ERRORS}) $display("a result in the wrong cycle");',
        "        end",
        "        if (out_valid !== 1'b1 || out_last !== (row % ROWS == ROWS - 1)) begin",
        "          complain;",
        f"          if (errors <= {SHOWN_ERRORS})",
        '            $display("out_valid %b, out_last %b", out_valid, out_last);',
        "        end",
        "        for (column = 0; column < COLS; column = column + 1)",
        "          if (out_acc[column * ACC_BITS +: ACC_BITS]",
        "              !== wanted[column * ACC_BITS +: ACC_BITS]) begin",
        "            complain;",
        f"            if (errors <= {SHOWN_ERRORS})",
        '              $display("column %0d: expected %h, got %h", column,',
        "                       wanted[column * ACC_BITS +: ACC_BITS],",
        "                       out_acc[column * ACC_BITS +: ACC_BITS]);",
        "          end",
        "        row = row + 1;",
        "      end",
        "      quiet = row == ROWS * TILES ? quiet + 1 : 0;",
        "      if (cycle == LIMIT) begin",
        "        complain;",
        '        $display("no more results; expected %0d rows", ROWS * TILES);',
        "        finish;",
        "      end else if (quiet == QUIET) finish;",
        "    end",
        "  end",
        "endmodule",
    ]
    return "\n".join(lines) + "\n"


def _slice_counts(rows: int) -> list[int]:
    """Slices of each tile: the first two, short and long, are always there."""
    return [min(count, MAX_SLICES) for count in (1, rows + 3, 1, 1, 2, 7, rows, 3)]


def _number(word: Any) -> int:
    return int.from_bytes(word.tobytes(), "little")
