"""The parts of a machine in its Verilog: each is mapped by itself and counts as often as placed."""

import re
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, replace

_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/|\(\*.*?\*\)", re.DOTALL)
_MODULE = re.compile(r"\s*module\s+(\w+)\s*\(([^()]*)\)\s*;(.*?)\bendmodule\b", re.DOTALL)
_NAME = r"(?:\\\S+\s|\w+)"
_PORT = re.compile(rf"(input|output)\s+(?:signed\s+)?(?:\[\d+:\d+\]\s*)?({_NAME})$")
_DECLARED = re.compile(
    r"(?:(?P<way>input|output)\s+(?P<reg>reg\s+)?(?P<type>(?:signed\s+)?(?:\[\d+:\d+\]\s*)?))?"
    rf"(?P<name>{_NAME})\s*(?P<init>=.*)?$",
    re.DOTALL,
)
_END = re.compile(r"(?<![\\.])\bend\b")  # not of an escaped name
_INSTANCE = re.compile(rf"(\w+)\s+({_NAME})\s*\(")
# Names, constants, parts and concatenations of them: nothing that computes.
_PLAIN = r"[^~!&|^+\-*/%<>=?()]*"
_WIRES = re.compile(
    rf"(?:input|output|wire)\s[^=]*|assign\s{_PLAIN}={_PLAIN}"
    rf"|\w+\s+{_NAME}\s*\(\s*(?:\.\w+\({_PLAIN}\)[\s,]*)*\)"
)


@dataclass(frozen=True)
class _Module:
    """A module: the names of its ports, and its statements without semicolons, each ``end`` one."""

    name: str
    ports: list[str]
    statements: list[str]

    def __str__(self) -> str:
        ended = (each if each == "end" else f"{each};" for each in self.statements)
        body = "".join(f"  {statement}\n" for statement in ended)
        return f"module {self.name}({', '.join(self.ports)});\n{body}endmodule\n"

    def children(self) -> Counter[str]:
        """How often each module, or anything that looks like one, is placed directly in it."""
        found = map(_INSTANCE.match, self.statements)
        return Counter(match[1] for match in found if match)


def _read(verilog: str) -> dict[str, _Module]:
    """All modules of a design as the emitter writes it. Raises ``ValueError`` for other text."""
    text = _COMMENT.sub("", verilog)
    modules = {}
    place = 0
    while text[place:].strip():
        match = _MODULE.match(text, place)
        if match is None:
            line = text[place:].strip().partition("\n")[0]
            raise ValueError(f"not a module with a list of ports: {line!r}")
        place = match.end()
        *statements, rest = _END.sub("end;", match[3]).split(";")
        if rest.strip():
            raise ValueError(f"module {match[1]} has a statement without an end: {rest.strip()!r}")
        ports, declarations = _declared(match[2])
        # What ends a statement stays: a space may end an escaped name.
        body = [*declarations, *(one.lstrip() for one in statements)]
        modules[match[1]] = _Module(match[1], ports, body)
    return modules


def _declared(header: str) -> tuple[list[str], list[str]]:
    """The names of the ports in a header, and the declarations in it as statements."""
    ports, statements = [], []
    way = kind = None
    for text in filter(None, map(str.lstrip, header.split(","))):
        match = _DECLARED.match(text)
        if match is None:
            raise ValueError(f"not a port: {text!r}")
        if match["way"]:
            way, kind = match["way"], match["type"]
        ports.append(match["name"])
        if way:
            statements.append(f"{way} {kind}{match['name']}")
            if match["reg"]:
                statements.append(f"reg {kind}{match['name']} {match['init'] or ''}".rstrip())
    return ports, statements


def count_parts(verilog: str, top: str, parts: Collection[str]) -> dict[str, int]:
    """How often each of the modules ``parts`` occurs below ``top``: module name -> count.

    Parts in other parts do not count. What is between ``top`` and its parts must be wires alone, as
    nobody would measure it: raises ``ValueError`` that names the module and what it has.
    """
    modules = _read(verilog)

    def count(name: str) -> Counter[str]:
        if name in parts:
            return Counter({name: 1})
        module = modules[name]
        if name != top:
            _require_wires(module)
        total: Counter[str] = Counter()
        for child, times in module.children().items():
            if child in modules:
                for part, below in count(child).items():
                    total[part] += times * below
        return total

    return dict(sorted(count(top).items()))


def placed(verilog: str, top: str, open_modules: Collection[str]) -> list[tuple[str, str]]:
    """What stands in ``top``, but for what is in a module of its own that is not one of
    ``open_modules``: names of instances and of their modules, those that are opened included. What
    stands in one of these has its name before its own, and a dot.
    """
    modules = _read(verilog)
    found = []
    for match in filter(None, map(_INSTANCE.match, modules[top].statements)):
        if match[1] in modules:
            name = match[2].strip()
            found.append((name, match[1]))
            if match[1] in open_modules:
                inside = placed(verilog, match[1], open_modules)
                found += [(f"{name}.{path}", module) for path, module in inside]
    return found


def _require_wires(module: _Module) -> None:
    for statement in module.statements:
        if not _WIRES.fullmatch(statement):
            raise ValueError(
                f"{module.name} is between a machine and its parts, and in none of them, but has "
                f"more than wires: {' '.join(statement.split())}"
            )


def ports(verilog: str, top: str) -> tuple[list[str], list[str]]:
    """The names of the inputs and of the outputs of ``top``, in their order."""
    found: dict[str, list[str]] = {"input": [], "output": []}
    for statement in _read(verilog)[top].statements:
        if match := _PORT.match(statement):
            found[match[1]].append(match[2].strip())
    return found["input"], found["output"]


def below(verilog: str, top: str) -> str:
    """The modules of a design that ``top`` is made of, in the order of their names."""
    modules = _read(verilog)
    wanted, found = [top], set()
    while wanted:
        name = wanted.pop()
        if name in modules and name not in found:
            found.add(name)
            wanted += modules[name].children()
    return "\n".join(str(modules[name]) for name in sorted(found))


def alone(verilog: str, top: str) -> str:
    """The module ``top`` with all others as empty boxes: the logic that is in no part."""
    return boxed(verilog, _read(verilog).keys() - {top})


def boxed(verilog: str, parts: Collection[str]) -> str:
    """A design whose modules ``parts`` are empty boxes."""
    texts = []
    for module in _read(verilog).values():
        if module.name in parts:
            ports = [one for one in module.statements if _PORT.match(one)]
            texts.append(f"(* blackbox *)\n{replace(module, statements=ports)}")
        else:
            texts.append(str(module))
    return "\n".join(texts)


def without_outputs(verilog: str, top: str, outputs: Collection[str]) -> str:
    """A design whose module ``top`` lacks those output ports: what drives them is unread."""
    modules = _read(verilog)

    def is_cut(statement: str) -> bool:
        match = _PORT.match(statement)
        return match is not None and match[1] == "output" and match[2] in outputs

    modules[top] = _Module(
        top,
        [port for port in modules[top].ports if port not in outputs],
        [statement for statement in modules[top].statements if not is_cut(statement)],
    )
    return "\n".join(map(str, modules.values()))


def renamed(verilog: str, old: str, new: str) -> str:
    """A design whose modules ``old`` and ``old_*`` are called ``new`` and ``new_*``."""

    def name(own: str) -> str:
        is_old = own == old or own.startswith(f"{old}_")
        return new + own.removeprefix(old) if is_old else own

    def statement(text: str) -> str:
        match = _INSTANCE.match(text)
        return name(match[1]) + text[match.end(1) :] if match else text

    return "\n".join(
        str(_Module(name(module.name), module.ports, list(map(statement, module.statements))))
        for module in _read(verilog).values()
    )
