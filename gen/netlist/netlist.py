"""Mapped netlists: one flat module of library cells, read from the JSON that Yosys writes."""

import json
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gen.library.library import Library

# The first nets of every netlist. An unknown constant may be either: simulation takes it for 0.
CONSTANTS = ("0", "1", "x")
ZERO, ONE, UNKNOWN = range(3)
_CONSTANT_NETS: dict[int | str, int] = {"0": ZERO, "1": ONE, "x": UNKNOWN, "z": UNKNOWN}

# The scopes of a flattened hierarchy: annotations, not hardware.
_NO_HARDWARE = {"$scopeinfo"}


class NetlistError(Exception):
    """A netlist cannot be measured: one line that says what is wrong with which cell or net."""


@dataclass(frozen=True)
class Port:
    """A port and the net of each of its bits, the lowest bit first."""

    name: str
    is_input: bool
    nets: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Instance:
    """An instance of the library cell ``cell``, and the net at each connected pin."""

    name: str
    cell: str
    inputs: Mapping[str, int]
    outputs: Mapping[str, int]


@dataclass(frozen=True, eq=False)
class Netlist:
    """A flat netlist of library cells with one clock.

    Nets are numbered from 0; the first are :data:`CONSTANTS`. Every net that something reads is
    driven, by exactly one pin or input port. The order of everything depends on the file alone.
    """

    name: str
    ports: Mapping[str, Port]
    #: All instances, in the order of the file.
    instances: tuple[Instance, ...]
    #: The flip-flops among them.
    registers: tuple[Instance, ...]
    #: The others, each after all that drive it.
    logic: tuple[Instance, ...]
    #: A readable name of each net: a public one if it has any, with its index in a wider signal.
    net_names: tuple[str, ...]
    #: The input pins at each net.
    sinks: tuple[tuple[tuple[Instance, str], ...], ...]
    #: How many bits of output ports each net drives.
    output_bits: tuple[int, ...]
    #: The net at the clock pins of all flip-flops: an input port, or None without flip-flops.
    clock: int | None

    @property
    def cells(self) -> int:
        """The number of instances, flip-flops among them."""
        return len(self.instances)

    @property
    def flip_flops(self) -> int:
        """The number of flip-flops."""
        return len(self.registers)

    @property
    def nets(self) -> int:
        """The number of nets, constants among them."""
        return len(self.net_names)

    @property
    def cell_counts(self) -> dict[str, int]:
        """How many instances there are of each cell, by the name of the cell."""
        return dict(sorted(Counter(instance.cell for instance in self.instances).items()))

    def area(self, library: Library) -> float:
        """The sum of the areas of all cells, in the library's unit of area."""
        return sum(count * library.cells[cell].area for cell, count in self.cell_counts.items())

    def loads(self, library: Library, wire_load: float, port_load: float = 0.0) -> list[float]:
        """The capacitance in fF that the driver of each net sees.

        Every input pin counts with its own capacitance and ``wire_load``, every bit of an output
        port with ``port_load``.
        """
        capacitances = {
            (cell, name): pin.capacitance + wire_load
            for cell in self.cell_counts
            for name, pin in library.cells[cell].pins.items()
        }
        return [
            sum(capacitances[instance.cell, pin] for instance, pin in sinks) + bits * port_load
            for sinks, bits in zip(self.sinks, self.output_bits, strict=True)
        ]


def parse_netlist(text: str, library: Library) -> Netlist:
    """The netlist in the JSON ``text``, its cells mapped to ``library``.

    Raises :class:`NetlistError` for anything but one flat module of library cells whose flip-flops
    share one clock port and whose logic has no loop.
    """
    name, module = _only_module(text)
    numbers = _number_nets(module)

    def connected(bits: Iterable[int | str]) -> tuple[int, ...]:
        return tuple(numbers[bit] for bit in bits)

    net_names = _name_nets(module, numbers)
    ports = {
        port: _port(port, contents["direction"], connected(contents["bits"]))
        for port, contents in module["ports"].items()
    }
    instances = tuple(
        _instance(instance, contents, library, numbers)
        for instance, contents in module["cells"].items()
        if contents["type"] not in _NO_HARDWARE
    )
    registers: list[Instance] = []
    logic: list[Instance] = []
    for instance in instances:
        cell = library.cells[instance.cell]
        (logic if cell.flip_flop is None else registers).append(instance)
    drivers = _drivers(ports.values(), instances, net_names)
    for reader, net in _readers(ports.values(), instances):
        if net not in drivers:
            raise NetlistError(f"{reader} reads {net_names[net]}, which nothing drives")
    sinks: list[list[tuple[Instance, str]]] = [[] for _ in net_names]
    for instance in instances:
        for pin, net in instance.inputs.items():
            sinks[net].append((instance, pin))
    output_bits = [0] * len(net_names)
    for port in ports.values():
        if not port.is_input:
            for net in port.nets:
                output_bits[net] += 1
    return Netlist(
        name=name,
        ports=ports,
        instances=instances,
        registers=tuple(registers),
        logic=_in_topological_order(logic, drivers, sinks),
        net_names=net_names,
        sinks=tuple(map(tuple, sinks)),
        output_bits=tuple(output_bits),
        clock=_clock(registers, library, ports.values(), sinks, net_names),
    )


def _only_module(text: str) -> tuple[str, Any]:
    """Name and contents of the module; black boxes are descriptions of library cells."""
    try:
        modules = {
            name: module
            for name, module in json.loads(text)["modules"].items()
            if not {"blackbox", "whitebox"} & module["attributes"].keys()
        }
    except (ValueError, KeyError, TypeError, AttributeError):
        raise NetlistError("not a netlist that Yosys wrote as JSON") from None
    if len(modules) != 1:
        raise NetlistError(f"a netlist is one flat module, not {', '.join(modules) or 'none'}")
    ((name, module),) = modules.items()
    return name, module


def _number_nets(module: Any) -> dict[int | str, int]:
    """The number of each constant and of each bit of Yosys, these in the order of their ids."""
    bits = {
        bit
        for contents in (*module["ports"].values(), *module["netnames"].values())
        for bit in contents["bits"]
    }
    for cell in module["cells"].values():
        for connection in cell["connections"].values():
            bits.update(connection)
    nets = sorted(bit for bit in bits if isinstance(bit, int))
    numbers: dict[int | str, int] = dict(_CONSTANT_NETS)
    numbers.update((bit, net) for net, bit in enumerate(nets, len(CONSTANTS)))
    return numbers


def _name_nets(module: Any, numbers: Mapping[int | str, int]) -> tuple[str, ...]:
    """The best name of each net: a port's, else a public one, else any; then the shortest."""
    names: dict[int, tuple[bool, bool, int, str]] = {}
    for signal, contents in module["netnames"].items():
        bits, offset = contents["bits"], contents.get("offset", 0)
        for position, bit in enumerate(bits):
            place = len(bits) - 1 - position if contents.get("upto") else position
            name = f"{signal}[{place + offset}]" if len(bits) > 1 else signal
            rank = (
                bool(contents.get("hide_name")),
                signal not in module["ports"],
                len(name),
                name,
            )
            net = numbers[bit]
            names[net] = min(names.get(net, rank), rank)
    count = max(numbers.values()) + 1
    named = [names[net][-1] if net in names else f"net {net}" for net in range(count)]
    return (*CONSTANTS, *named[len(CONSTANTS) :])


def _port(name: str, direction: str, nets: tuple[int, ...]) -> Port:
    if direction not in ("input", "output"):
        raise NetlistError(f"port {name} is {direction}: only inputs and outputs are measured")
    return Port(name, direction == "input", nets)


def _instance(
    name: str, contents: Any, library: Library, numbers: Mapping[int | str, int]
) -> Instance:
    """An instance with all its inputs connected; outputs need not be."""
    cell = library.cells.get(contents["type"])
    if cell is None:
        raise NetlistError(f"{name} is a {contents['type']}, which {library.name} does not have")
    inputs: dict[str, int] = {}
    outputs: dict[str, int] = {}
    for pin, bits in contents["connections"].items():
        if pin not in cell.pins:
            raise NetlistError(f"{name} connects pin {pin}, which {cell.name} does not have")
        if len(bits) > 1:
            raise NetlistError(f"{name} connects {len(bits)} bits to pin {pin} of {cell.name}")
        for bit in bits:
            (inputs if cell.pins[pin].is_input else outputs)[pin] = numbers[bit]
    for pin in cell.pins.values():
        if pin.is_input and pin.name not in inputs:
            raise NetlistError(f"{name} leaves pin {pin.name} of {cell.name} unconnected")
    return Instance(name, cell.name, inputs, outputs)


def _drivers(
    ports: Iterable[Port], instances: Iterable[Instance], net_names: tuple[str, ...]
) -> dict[int, Instance | None]:
    """The instance that drives each driven net; None stands for input ports and constants."""
    drivers: dict[int, Instance | None] = dict.fromkeys(range(len(CONSTANTS)))
    outputs: list[tuple[str, Instance | None, Iterable[int]]] = [
        (port.name, None, port.nets) for port in ports if port.is_input
    ]
    outputs += [(instance.name, instance, instance.outputs.values()) for instance in instances]
    for name, driver, nets in outputs:
        for net in nets:
            if net in drivers:
                raise NetlistError(f"{name} drives {net_names[net]}, which is driven already")
            drivers[net] = driver
    return drivers


def _readers(ports: Iterable[Port], instances: Iterable[Instance]) -> Iterator[tuple[str, int]]:
    """Everything that reads a net, by name."""
    for instance in instances:
        for pin, net in instance.inputs.items():
            yield f"pin {pin} of {instance.name}", net
    for port in ports:
        if not port.is_input:
            for net in port.nets:
                yield f"output {port.name}", net


def _in_topological_order(
    logic: list[Instance],
    drivers: Mapping[int, Instance | None],
    sinks: list[list[tuple[Instance, str]]],
) -> tuple[Instance, ...]:
    """The combinational instances, each after its drivers; raises on a loop."""
    # Pins that still wait for a combinational driver.
    waiting = dict.fromkeys(logic, 0)
    for instance in logic:
        waiting[instance] = sum(drivers[net] in waiting for net in instance.inputs.values())
    ready = deque(instance for instance in logic if not waiting[instance])
    ordered = []
    while ready:
        instance = ready.popleft()
        ordered.append(instance)
        for net in instance.outputs.values():
            for sink, _ in sinks[net]:
                if sink in waiting:
                    waiting[sink] -= 1
                    if not waiting[sink]:
                        ready.append(sink)
    if len(ordered) < len(logic):
        # Backwards from any cell that waits, one comes to a loop.
        instance = next(instance for instance in logic if waiting[instance])
        seen: list[Instance] = []
        while instance not in seen:
            seen.append(instance)
            instance = next(
                driver
                for driver in map(drivers.get, instance.inputs.values())
                if driver is not None and waiting.get(driver)
            )
        loop = seen[seen.index(instance) :]
        others = f" of {len(loop)} cells" if len(loop) > 1 else ""
        raise NetlistError(
            f"{instance.name}, a {instance.cell}, is in a combinational loop{others}"
        )
    return tuple(ordered)


def _clock(
    registers: list[Instance],
    library: Library,
    ports: Iterable[Port],
    sinks: list[list[tuple[Instance, str]]],
    net_names: tuple[str, ...],
) -> int | None:
    """The one clock of all flip-flops: an input port, which nothing else reads."""
    inputs = {net for port in ports if port.is_input for net in port.nets}
    clock: int | None = None
    for register in registers:
        flip_flop = library.cells[register.cell].flip_flop
        assert flip_flop is not None
        net = register.inputs[flip_flop.clock]
        if net not in inputs:
            raise NetlistError(f"the clock of {register.name}, {net_names[net]}, is not an input")
        if clock not in (None, net):
            raise NetlistError(f"the clock of {register.name}, {net_names[net]}, is a second one")
        clock = net
    if clock is not None and len(sinks[clock]) > len(registers):
        raise NetlistError(f"logic reads the clock {net_names[clock]}")
    return clock
