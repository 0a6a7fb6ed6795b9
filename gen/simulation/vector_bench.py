"""The test bench of a part that gives its outputs cycle by cycle."""

from typing import Any

from gen.simulation.bench_text import SHOWN_ERRORS, literal, memory, signals, verdict
from gen.simulation.vectors import Vectors


def vector_bench(sidecar: dict[str, Any], vectors: Vectors) -> str:
    """One vector of inputs a cycle, and every output compared in every cycle where it is known."""
    widths = {port["name"]: port["width"] for port in sidecar["ports"]}
    table = {**vectors.inputs, **vectors.outputs}
    count = len(next(iter(table.values())))
    loads = [
        "    "
        + " ".join(
            f"{name}_of[{index}] = {literal(words[index], widths[name])};"
            for name, words in table.items()
        )
        for index in range(count)
    ]
    compared = []
    for name in vectors.outputs:
        compared += [
            f"        if ({name} !== {name}_of[vector]) begin",
            "          errors = errors + 1;",
            f"          if (errors <= {SHOWN_ERRORS})",
            f'            $display("vector %0d, {name}: expected %h, got %h", vector,',
            f"                     {name}_of[vector], {name});",
            "        end",
        ]
    lines = [
        f"module {sidecar['top']}_tb;",
        f"  localparam VECTORS = {count};",
        f"  localparam UNKNOWN = {vectors.unknown};  // vectors before the outputs are known",
        "",
        *signals(sidecar),
        "",
        *(memory(f"{name}_of", widths[name], count) for name in table),
        "  initial begin",
        *loads,
        "  end",
        "",
        "  // Two cycles of reset, then a vector in each, compared before the next one comes.",
        "  integer cycle, next, vector, errors;",
        "  initial begin",
        "    cycle = 0; next = 0; vector = 0; errors = 0; rst = 1;",
        f"    {' '.join(f'{name} = 0;' for name in vectors.inputs)}",
        "  end",
        *verdict("%0d vectors", "VECTORS - UNKNOWN"),
        "  always @(posedge clk) begin",
        "    cycle <= cycle + 1;",
        "    rst <= cycle < 2;",
        "    if (!rst) begin",
        "      if (next > UNKNOWN) begin",
        "        vector = next - 1;",
        *compared,
        "      end",
        "      if (next == VECTORS) finish;",
        "      else begin",
        *(f"        {name} <= {name}_of[next];" for name in vectors.inputs),
        "        next <= next + 1;",
        "      end",
        "    end",
        "  end",
        "endmodule",
    ]
    return "\n".join(lines) + "\n"
