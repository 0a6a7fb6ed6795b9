"""The instantiation template of an emitted design: to be pasted into a module around it."""

from collections.abc import Sequence
from typing import Any


def instantiation_template(sidecar: dict[str, Any]) -> str:
    """Verilog, without a module around it: a wire for each port, and an instance."""
    name, ports = sidecar["top"], sidecar["ports"]
    used = sidecar["activation_bits_used"]
    lines = [f"// {name}: paste this into a module, and drive what is an input."]
    if used < sidecar["activation_bits"]:
        lines.append(f"// Of each activation the low {used} bits are used, the others are ignored.")
    comments = [f"// {port['direction']}: {comment(port)}" for port in ports]
    wires = [declaration("wire", port) + ";" for port in ports]
    connections = [f"  .{port['name']}({port['name']})" for port in ports]
    connections = [*(f"{connection}," for connection in connections[:-1]), connections[-1]]
    lines += [f"{wire}  {text}" for wire, text in zip(_aligned(wires), comments, strict=True)]
    lines += [f"{name} {name}_i (", *connections, ");"]
    return "\n".join(lines) + "\n"


def declaration(kind: str, port: dict[str, Any]) -> str:
    """``wire [7:0] in_a`` of a port, for the ``kind`` of a wire."""
    vector = f"[{port['width'] - 1}:0] " if port["width"] > 1 else ""
    return f"{kind} {vector}{port['name']}"


def comment(port: dict[str, Any]) -> str:
    """What a port means and what its bits are, in one line."""
    elements = port["elements"]
    sign = "signed" if elements["signed"] else "unsigned"
    nested = "".join(f"[{each['name']} {each['count']}]" for each in elements["dimensions"])
    if elements["fields"]:
        parts = [f"{each['name']} {each['width']}" for each in elements["fields"]]
        kind = f"{{{', '.join(parts)}}} from bit 0"
    else:
        kind = f"{sign} {elements['width']} bits"
    plain = not nested and port["width"] == 1
    return port["meaning"] if plain else f"{nested and nested + ' of '}{kind}. {port['meaning']}"


def _aligned(texts: Sequence[str]) -> list[str]:
    width = max(map(len, texts))
    return [text.ljust(width) for text in texts]
