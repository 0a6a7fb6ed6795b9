"""Modules that wire others together, written as Verilog without a detour."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from amaranth.hdl import ClockSignal, Const, Fragment, ResetSignal, Signal, Value
from amaranth.hdl import Instance as Placed
from amaranth.hdl._ast import Assign, Concat, Operator, Slice, SwitchValue
from amaranth.hdl._ir import PortDirection

from gen.verilog.module_name import KEYWORDS
from gen.verilog.module_text import Instance, Port, VerilogModule


class Bits(NamedTuple):
    """Some bits of a signal, or a constant."""

    of: Signal | int
    low: int
    width: int


class NotWiring(Exception):
    """A module has more than wires, or something that only Amaranth knows how to write."""


def wiring_of(
    name: str,
    fragment: Fragment,
    ports: Mapping[str, tuple[Value, PortDirection]],
    modules: Iterable[str],
    always: Sequence[str],
) -> VerilogModule:
    """The module of a component that places ``modules`` and connects their ports.

    Between them there may be words that one bit chooses, and no more. Connections are written where
    they are made: a wire is declared only for what leaves one module and does not leave this one.
    Raises :class:`NotWiring`.
    """
    return _Wiring(fragment, ports, modules).module(name, always)


class _Wiring:
    def __init__(
        self,
        fragment: Fragment,
        ports: Mapping[str, tuple[Value, PortDirection]],
        modules: Iterable[str],
    ):
        if type(fragment) is not Fragment or fragment.domains or fragment.attrs:
            raise NotWiring
        if not fragment.subfragments or fragment.statements.keys() - {"comb"}:
            raise NotWiring
        self._ports: dict[str, Signal] = {}
        self._is_input: dict[str, bool] = {}
        self._sources: set[int] = set()
        """What comes from outside or out of a module placed, by its id."""
        for port, (value, direction) in ports.items():
            if not isinstance(value, Signal):
                raise NotWiring
            self._ports[port] = value
            self._is_input[port] = direction is PortDirection.Input
            if self._is_input[port]:
                self._sources.add(id(value))
        self._placed: list[tuple[str, Placed]] = []
        self._outputs: list[Signal] = []
        for placed, own_name, _ in fragment.subfragments:
            if type(placed) is not Placed or placed.type not in modules or placed.parameters:
                raise NotWiring
            self._placed.append((own_name, placed))
            for value, kind in placed.ports.values():
                if kind == "o":
                    if not isinstance(value, Signal) or id(value) in self._sources:
                        raise NotWiring
                    self._outputs.append(value)
                    self._sources.add(id(value))
        self._chosen: list[tuple[Signal, list[list[Bits]]]] = []
        """Signals that one bit chooses: the bit, what they are where it is 1, and where it is 0."""
        self._drivers: dict[int, list[tuple[int, Bits]]] = {}
        self._resolved: dict[int, list[Bits] | None] = {}
        for statement in fragment.statements.get("comb", []):
            self._assign(statement)

    def _assign(self, statement: object) -> None:
        if not isinstance(statement, Assign):
            raise NotWiring
        if isinstance(statement.rhs, SwitchValue):
            self._choose(statement.lhs, statement.rhs)
            return
        left, right = _bits(statement.lhs), _bits(statement.rhs)
        missing = len(statement.lhs) - len(statement.rhs)
        if missing > 0:
            if statement.rhs.shape().signed:
                raise NotWiring
            right.append(Bits(0, 0, missing))
        place = 0
        for target, low, width in left:
            if isinstance(target, int) or id(target) in self._sources:
                raise NotWiring
            drivers = self._drivers.setdefault(id(target), [])
            for part in _cut(right, place, width):
                drivers.append((low, part))
                low += part.width
            place += width

    def _choose(self, target: Value, chosen: SwitchValue) -> None:
        """``target`` is a multiplexer of its own width, and no port."""
        patterns = [patterns for patterns, _ in chosen.cases]
        values = [value for _, value in chosen.cases]
        if patterns != [("0",), None] or any(value.shape().signed for value in values):
            raise NotWiring
        if not isinstance(target, Signal) or id(target) in self._sources:
            raise NotWiring
        if any(target is port for port in self._ports.values()):
            raise NotWiring
        self._sources.add(id(target))
        zero, one = ([*_bits(value), Bits(0, 0, len(target) - len(value))] for value in values)
        self._chosen.append((target, [_bits(chosen.test), one, zero]))

    def _source(self, signal: Signal) -> list[Bits]:
        """What all bits of a signal are."""
        if id(signal) in self._sources:
            return [Bits(signal, 0, len(signal))]
        if id(signal) not in self._resolved:
            self._resolved[id(signal)] = None  # until it is known
            found: list[Bits] = []
            place = 0
            drivers = sorted(self._drivers.get(id(signal), []), key=lambda driver: driver[0])
            for low, part in [*drivers, (len(signal), Bits(0, 0, 0))]:
                if low < place:
                    raise NotWiring  # the last one of several counts
                if low > place:
                    found.append(Bits(signal.init >> place, 0, low - place))
                found += self._sources_of([part])
                place = low + part.width
            self._resolved[id(signal)] = _joined(found)
        known = self._resolved[id(signal)]
        if known is None:
            raise NotWiring  # it depends on itself
        return known

    def _sources_of(self, bits: Iterable[Bits]) -> list[Bits]:
        found: list[Bits] = []
        for part in bits:
            if isinstance(part.of, int):
                found.append(part)
            else:
                found += _cut(self._source(part.of), part.low, part.width)
        return _joined(found)

    def module(self, name: str, always: Sequence[str]) -> VerilogModule:
        inputs: dict[tuple[str, str], list[Bits] | str] = {}
        clocked = [*always]
        read: set[int] = set()
        for own_name, placed in self._placed:
            for port, (value, kind) in placed.ports.items():
                if isinstance(value, ClockSignal | ResetSignal):
                    clock = "clk" if isinstance(value, ClockSignal) else "rst"
                    if value.domain != "sync":
                        raise NotWiring
                    inputs[own_name, port] = clock
                    clocked += [clock] if clock not in clocked else []
                elif kind == "i":
                    inputs[own_name, port] = sources = self._sources_of(_bits(value))
                    read |= {id(part.of) for part in sources}

        chosen = [
            (target, [self._sources_of(bits) for bits in operands])
            for target, operands in self._chosen
        ]
        read |= {id(part.of) for _, operands in chosen for bits in operands for part in bits}

        # What leaves this module is connected in place, where nothing else reads a part of it.
        texts = {id(signal): port for port, signal in self._ports.items()}
        in_place: dict[int, Bits] = {}
        assigned: list[tuple[Bits, list[Bits]]] = []
        outputs = {id(signal): signal for signal in self._outputs}
        for port, signal in self._ports.items():
            if self._is_input[port]:
                continue
            place = 0
            for part in self._source(signal):
                whole = not isinstance(part.of, int) and part.width == len(part.of)
                here = Bits(signal, place, part.width)
                free = id(part.of) in outputs and id(part.of) not in in_place
                if whole and free and (id(part.of) not in read or part.width == len(signal)):
                    in_place[id(part.of)] = here
                else:
                    read.add(id(part.of))
                    joined = _joined([assigned[-1][0], here]) if assigned else []
                    if len(joined) == 1:
                        assigned[-1] = joined[0], [*assigned[-1][1], part]
                    else:
                        assigned.append((here, [part]))
                place += part.width
        nets: dict[str, list[str]] = {}
        for target, _ in chosen:
            texts[id(target)] = target.name
            nets.setdefault(f"wire {_range(target)}".strip(), []).append(target.name)
        for key, signal in outputs.items():
            if key in in_place:
                texts[key] = _text([in_place[key]], texts)
            else:  # an unread one too: linters warn of ports that are connected to nothing
                texts[key] = signal.name
                nets.setdefault(f"wire {_range(signal)}".strip(), []).append(signal.name)

        statements: list[str | Instance] = []
        for target, operands in chosen:
            test, one, zero = (_text(bits, texts, in_place) for bits in operands)
            statements.append(f"  assign {target.name} = {test} ? {one} : {zero};")
        for own_name, placed in self._placed:
            connections = []
            for port, (value, kind) in placed.ports.items():
                if kind == "o":
                    connections.append((port, texts[id(value)]))
                else:
                    source = inputs[own_name, port]
                    text = source if isinstance(source, str) else _text(source, texts, in_place)
                    connections.append((port, text))
            statements.append(Instance(placed.type, own_name, connections))
        for target, parts in assigned:
            statements.append(
                f"  assign {_text([target], texts)} = {_text(parts, texts, in_place)};"
            )

        declared = [Port("input", clock) for clock in ("clk", "rst") if clock in clocked]
        for port, signal in self._ports.items():
            way = "input" if self._is_input[port] else "output"
            declared.append(Port(f"{way} {_range(signal)}".strip(), port))
        names = [*self._ports, *(net for alike in nets.values() for net in alike)]
        names += [own_name for own_name, _ in self._placed]
        names += [clock for clock in ("clk", "rst") if clock in clocked]
        if len(set(names)) < len(names) or not all(map(_is_plain, names)):
            raise NotWiring
        return VerilogModule(name, declared, nets, statements)


def renamed(module: VerilogModule, names: Mapping[str, str]) -> VerilogModule:
    """A module with other names of itself and of what it places."""
    statements = [
        replace(each, module=names[each.module]) if isinstance(each, Instance) else each
        for each in module.statements
    ]
    return replace(module, name=names[module.name], statements=statements)


def _is_plain(name: str) -> bool:
    return re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII) is not None and name not in KEYWORDS


def _range(signal: Signal) -> str:
    words = ["signed"] if signal.shape().signed else []
    return " ".join([*words, f"[{len(signal) - 1}:0]"] if len(signal) > 1 else words)


def _bits(value: Value) -> list[Bits]:
    """The bits of an expression that only selects and joins, lowest first."""
    if isinstance(value, Signal):
        return [Bits(value, 0, len(value))]
    if isinstance(value, Const):
        return [Bits(value.value & ((1 << len(value)) - 1), 0, len(value))]
    if isinstance(value, Slice):
        return _cut(_bits(value.value), value.start, len(value))
    if isinstance(value, Concat):
        return [part for each in value.parts for part in _bits(each)]
    if isinstance(value, Operator) and value.operator in ("s", "u"):
        return _bits(value.operands[0])
    raise NotWiring


def _cut(bits: Iterable[Bits], low: int, width: int) -> list[Bits]:
    """``width`` bits from ``low``."""
    found = []
    place = 0
    for part in bits:
        first, last = max(low, place), min(low + width, place + part.width)
        if first < last:
            found.append(Bits(part.of, part.low + first - place, last - first))
        place += part.width
    return found


def _joined(bits: Iterable[Bits]) -> list[Bits]:
    """The same with as few parts as there can be; constants begin at their bit 0."""
    found: list[Bits] = []
    for part in bits:
        of, low, width = part
        if isinstance(of, int):
            of, low = (of >> low) & ((1 << width) - 1), 0
        if found:
            before = found[-1]
            if isinstance(of, int) and isinstance(before.of, int):
                joined = before.of | of << before.width
                found[-1] = Bits(joined, 0, before.width + width)
                continue
            if of is before.of and low == before.low + before.width:
                found[-1] = before._replace(width=before.width + width)
                continue
        if width:
            found.append(Bits(of, low, width))
    return found


def _text(
    bits: Sequence[Bits], texts: Mapping[int, str], in_place: Mapping[int, Bits] | None = None
) -> str:
    """Verilog of bits, the highest first."""
    moved = []
    for of, low, width in bits:
        if in_place and id(of) in in_place:
            there = in_place[id(of)]
            moved.append(Bits(there.of, there.low + low, width))
        else:
            moved.append(Bits(of, low, width))
    words = []
    for of, low, width in reversed(_joined(moved)):
        if isinstance(of, int):
            words.append(f"{width}'h{of:x}")
        elif width == len(of):
            words.append(texts[id(of)])
        else:
            last = f"{low + width - 1}:" if width > 1 else ""
            words.append(f"{texts[id(of)]}[{last}{low}]")
    return words[0] if len(words) == 1 else f"{{{', '.join(words)}}}"
