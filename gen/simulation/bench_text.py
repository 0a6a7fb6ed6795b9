"""What the Verilog test benches have in common."""

from typing import Any

from gen.verilog.template import declaration

LITERAL_BITS = 512
NOISE_BITS = 32
SHOWN_ERRORS = 20
"""What more there is to say of later errors is not printed."""


def literal(value: int, width: int) -> str:
    """A sized hexadecimal constant, long ones as a concatenation of shorter ones."""
    parts = []
    while width > LITERAL_BITS:
        parts.append(f"{LITERAL_BITS}'h{value & ((1 << LITERAL_BITS) - 1):x}")
        value >>= LITERAL_BITS
        width -= LITERAL_BITS
    parts.append(f"{width}'h{value:x}")
    return parts[0] if len(parts) == 1 else "{" + ", ".join(reversed(parts)) + "}"


def signals(sidecar: dict[str, Any]) -> list[str]:
    """A register for each input, a wire for each output, the design, and its clock."""
    lines = []
    for port in sidecar["ports"]:
        kind = "reg" if port["direction"] == "input" else "wire"
        lines.append(f"  {declaration(kind, port)};")
    names = [port["name"] for port in sidecar["ports"]]
    connections = ", ".join(f".{name}({name})" for name in names)
    return [
        *lines,
        f"  {sidecar['top']} dut ({connections});",
        "",
        "  initial clk = 0;",
        "  always #5 clk = !clk;",
    ]


def memory(name: str, width: int, depth: int) -> str:
    """The declaration of a memory of that many words."""
    vector = f"[{width - 1}:0] " if width > 1 else ""
    return f"  reg {vector}{name} [0:{depth - 1}];"


def noise(widest: int) -> list[str]:
    """The declarations of a random word, and of noise of at least ``widest`` bits made of it."""
    words = -(-widest // NOISE_BITS)
    return [
        f"  reg [{NOISE_BITS - 1}:0] random;",
        f"  wire [{words * NOISE_BITS - 1}:0] noise = {{{words}{{random}}}};",
    ]


NEXT_RANDOM = "    random <= {random[30:0], random[31] ^ random[21] ^ random[1] ^ random[0]};"
"""What makes the next random word, of a shift register."""


def verdict(checked: str, *values: str) -> list[str]:
    """The task that ends the simulation; ``checked`` and ``values`` say what was compared."""
    arguments = ", ".join([f'"PASS: {checked}"', *values])
    return [
        "  task finish;",
        "    begin",
        "      if (errors == 0) begin",
        f"        $display({arguments});",
        "        $finish;",
        "      end else begin",
        '        $display("FAIL: %0d errors", errors);',
        "        $stop;",
        "      end",
        "    end",
        "  endtask",
    ]
