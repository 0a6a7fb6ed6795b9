"""A ring of registers around a design, so that its timing is that between registers."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

TOP = "ring"


class Ring(NamedTuple):
    """Verilog of a module :data:`TOP` around a design, and what it takes beside the design."""

    verilog: str
    luts: int
    flip_flops: int


def register_ring(name: str, ports: Sequence[dict[str, Any]]) -> Ring:
    """Around the module ``name`` of these ``ports``, as a sidecar lists them.

    Three pins are enough, whatever ports there are: clock, one input, one output. A shift register
    drives every input but the clock; every output goes into a register, and from there, through an
    exclusive or with its neighbour, into a second one, the last of which is the output. So each
    path of the design is one between registers, no output can be optimized away, and what the ring
    takes is known.
    """
    inputs, outputs = (
        [port for port in ports if port["direction"] == way and port["name"] != "clk"]
        for way in ("input", "output")
    )
    driven = sum(port["width"] for port in inputs)
    read = sum(port["width"] for port in outputs)
    pins = ", ".join([".clk(clk)", *_slices(inputs, "drive"), *_slices(outputs, "result")])
    verilog = (
        f"module {TOP}(input clk, data_in, output data_out);\n"
        f"  reg [{driven - 1}:0] drive;\n"
        f"  wire [{read - 1}:0] result;\n"
        f"  reg [{read - 1}:0] first, second;\n"
        "  always @(posedge clk) begin\n"
        "    drive <= {drive, data_in};\n"
        "    first <= result;\n"
        "    second <= first ^ {second, 1'b0};\n"
        "  end\n"
        f"  assign data_out = second[{read - 1}];\n"
        f"  {name} design ({pins});\n"
        "endmodule\n"
    )
    return Ring(verilog, luts=read - 1, flip_flops=driven + 2 * read)


def _slices(ports: Sequence[dict[str, Any]], word: str) -> Iterator[str]:
    start = 0
    for port in ports:
        end = start + port["width"]
        yield f".{port['name']}({word}[{end - 1}:{start}])"
        start = end
