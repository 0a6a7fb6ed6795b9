"""The text of Verilog modules: their headers, the order in which they stand, their comments."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

WIDTH = 100
_MODULE = re.compile(r"^module (\S+)\((.*?)\);\n(.*?)^endmodule$", re.DOTALL | re.MULTILINE)
_TYPE = r"((?:signed )?(?:\[\d+:\d+\] )?)"
_NAME = r"(\w+|\\\S+ )"  # an escaped one ends with a space
_PORT = re.compile(rf"^  (input|output) {_TYPE}{_NAME};$")
_NET = re.compile(rf"^  (wire|reg) {_TYPE}{_NAME}( = [^;]*)?;$")
_CLOCKED = "  always @(posedge clk)"
_INSTANCE = re.compile(r"^  (\w+) (\\\S+ |\w+) \($")


class Port(NamedTuple):
    """A port: what is declared before and after its name."""

    kind: str
    name: str
    value: str = ""


@dataclass(frozen=True)
class Instance:
    """One module placed in another: of each port, what it is connected to."""

    module: str
    name: str
    connections: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class VerilogModule:
    """A module: its ports and nets as they are declared, and its statements, lines each."""

    name: str
    ports: Sequence[Port]
    nets: Mapping[str, Sequence[str]]
    """Names by their types, such as ``wire [3:0]``."""
    statements: Sequence[str | Instance]

    @property
    def children(self) -> list[str]:
        """The modules placed in it, in their order."""
        return [each.module for each in self.statements if isinstance(each, Instance)]

    def __str__(self) -> str:
        ports = []
        for before, port in zip([None, *self.ports], self.ports, strict=False):
            # One of the same kind as the one before it is named alone, if it has no value: Yosys
            # would take it for something else.
            is_alike = before is not None and before.kind == port.kind and not port.value
            ports.append(f"{'' if is_alike else port.kind + ' '}{port.name}{port.value}")
        head = f"module {self.name}({', '.join(ports)});"
        if len(head) > WIDTH:
            head = f"module {self.name}(\n{_listed(ports, '  ')});"
        lines = [head]
        for kind, names in self.nets.items():
            line = f"  {kind} {', '.join(names)};"
            lines.append(line if len(line) <= WIDTH else f"  {kind}\n{_listed(names, '    ')};")
        for each in self.statements:
            if isinstance(each, Instance):
                connections = [f".{port}({value})" for port, value in each.connections]
                lines.append(f"  {each.module} {each.name} (\n{_listed(connections, '    ')});")
            else:
                lines.append(each)
        return "\n".join([*lines, "endmodule\n"])


def _listed(items: Sequence[str], indent: str) -> str:
    """Items with commas between them, as many on a line as there is room for."""
    lines, line = [], ""
    for item in items:
        if line and len(indent) + len(line) + len(item) + 4 > WIDTH:
            lines.append(f"{indent}{line},")
            line = item
        else:
            line = f"{line}, {item}" if line else item
    return "\n".join([*lines, indent + line])


def modules_of(verilog: str) -> dict[str, VerilogModule]:
    """The modules in a text as Yosys writes it."""
    found = {}
    for match in _MODULE.finditer(verilog):
        order = re.findall(r"\\\S+ |\w+", match[2])
        found[match[1]] = _module(match[1], order, match[3].splitlines())
    return found


def _module(name: str, order: Sequence[str], lines: Sequence[str]) -> VerilogModule:
    directions: dict[str, str] = {}
    ports: dict[str, Port] = {}
    nets: dict[str, list[str]] = {}
    statements: list[str | Instance] = []
    rest = iter(lines)
    for line in rest:
        if match := _PORT.match(line):
            directions[match[3]] = match[1]
        elif match := _NET.match(line):
            kind, of, net, value = match[1], match[2], match[3], match[4] or ""
            if net in directions:
                way = directions[net] if kind == "wire" else f"{directions[net]} reg"
                ports[net] = Port(f"{way} {of}".strip(), net, value)
            else:
                nets.setdefault(f"{kind} {of}".strip(), []).append(net + value)
        elif match := _INSTANCE.match(line):
            statements.append(Instance(match[1], match[2], list(_connections(rest))))
        else:
            statements.append(line)
    statements = _registers_in_one_block(statements)
    return VerilogModule(name, [ports[port] for port in order], nets, statements)


def _registers_in_one_block(statements: Sequence[str | Instance]) -> list[str | Instance]:
    """The same with all registers that Yosys gave a block each in the first one's.

    Icarus compares all clocked blocks of a design with each other. Memories keep blocks of their
    own, by which tools know them.
    """
    registers: list[str] = []
    others: list[str | Instance] = []
    place = None
    in_block = False
    for each in statements:
        if each == _CLOCKED:
            in_block = True
            place = len(others) if place is None else place
        elif in_block and isinstance(each, str) and each.startswith("    "):
            registers.append(each)
        else:
            in_block = False
            others.append(each)
    if place is None:
        return others
    return [*others[:place], f"{_CLOCKED} begin", *registers, "  end", *others[place:]]


def _connections(lines: Iterator[str]) -> Iterator[tuple[str, str]]:
    for line in lines:
        if line == "  );":
            return
        port, _, value = line.strip().removeprefix(".").partition("(")
        value = value.removesuffix(",").removesuffix(")")
        yield port, "" if value.startswith("/*") else value


def structural_order(modules: Mapping[str, VerilogModule], top: str) -> list[VerilogModule]:
    """The modules of a design, each before all that it is built of.

    ``top`` comes first; what a module places comes in the order in which it places it.
    """
    order: list[str] = []
    seen: set[str] = set()

    def visit(name: str) -> None:
        if name in modules and name not in seen:
            seen.add(name)
            for child in reversed(modules[name].children):
                visit(child)
            order.append(name)

    visit(top)
    return [modules[name] for name in reversed(order)]
