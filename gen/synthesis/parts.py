"""The area of a machine: that of its parts, each mapped by itself, times their counts."""

import re
from collections import Counter
from collections.abc import Collection

PARTS = (
    r"pe",
    r"activation_lane",
    r"weight_lane",
    r"row_bias",
    r"column_correction",
    r"tile_sequencer",
    r"row_counter_\d+",
    r"group_buffer_\w+",
    r"delay_1x\d+b_by_1",
    r"dot_product_unit",
    r"row_edge",
    r"column_edge",
    r"tile_control",
)
"""Modules of a machine that are mapped by themselves; all others are wires around them."""

_MODULE = re.compile(r"^module (\w+)\((.*?)\);\n(.*?)^endmodule\n", re.DOTALL | re.MULTILINE)
_INSTANCE = re.compile(r"^  (\w+) (?:\\\S+|\w+) \(", re.MULTILINE)


def count_parts(verilog: str, top: str) -> dict[str, int]:
    """How often each part occurs below ``top``: module name -> count."""
    modules = {match[1]: match[3] for match in _MODULE.finditer(verilog)}
    part = re.compile(rf"{top}_({'|'.join(PARTS)})$")

    def count(module: str) -> Counter[str]:
        if part.match(module):
            return Counter({module: 1})
        total: Counter[str] = Counter()
        for child, times in Counter(_INSTANCE.findall(modules[module])).items():
            if child in modules:
                for name, below in count(child).items():
                    total[name] += times * below
        return total

    return dict(sorted(count(top).items()))


def below(verilog: str, top: str) -> str:
    """The modules of a design that ``top`` is made of, in the order of their names."""
    modules = {match[1]: match for match in _MODULE.finditer(verilog)}
    wanted, found = [top], set()
    while wanted:
        name = wanted.pop()
        if name in modules and name not in found:
            found.add(name)
            wanted += _INSTANCE.findall(modules[name][3])
    return "\n".join(modules[name][0] for name in sorted(found))


def alone(verilog: str, top: str) -> str:
    """The module ``top`` with all others as empty boxes: the logic that is in no part.

    What is between the top module and its parts is wires alone.
    """
    return boxed(verilog, {match[1] for match in _MODULE.finditer(verilog)} - {top})


def boxed(verilog: str, parts: Collection[str]) -> str:
    """A design whose modules ``parts`` are empty boxes."""

    def box(match: re.Match[str]) -> str:
        if match[1] not in parts:
            return match[0]
        ports = re.findall(r"^  (?:input|output) .*;\n", match[3], re.MULTILINE)
        return f"(* blackbox *)\nmodule {match[1]}({match[2]});\n{''.join(ports)}endmodule\n"

    return _MODULE.sub(box, verilog)


def without_outputs(verilog: str, top: str, outputs: Collection[str]) -> str:
    """A design whose module ``top`` lacks those output ports: what drives them is unread."""
    names = "|".join(outputs)

    def cut(match: re.Match[str]) -> str:
        if match[1] != top:
            return match[0]
        ports = ", ".join(port for port in match[2].split(", ") if port not in outputs)
        body = re.sub(
            rf"^  output (?:\[\d+:\d+\] )?(?:{names});\n", "", match[3], flags=re.MULTILINE
        )
        return f"module {match[1]}({ports});\n{body}endmodule\n"

    return _MODULE.sub(cut, verilog)
