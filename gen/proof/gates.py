"""A flat netlist of single-bit gates, and what can be read off its structure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from gen.proof import solver
from gen.proof.verdict import ProofError

Net = int | str
"""A number, or the constant "0", "1" or "x"."""

FLIP_FLOP = "$_DFF_P_"

LOGIC: dict[str, tuple[str, str]] = {
    "$_NOT_": ("A", "~{A}"),
    "$_AND_": ("AB", "{A} & {B}"),
    "$_OR_": ("AB", "{A} | {B}"),
    "$_XOR_": ("AB", "{A} ^ {B}"),
    "$_MUX_": ("ABS", "({B} & {S}) | ({A} & ~{S})"),
}
"""The gates: their inputs, and their function of words in C++; the output is Y."""


@dataclass(frozen=True, eq=False)
class Cell:
    """A gate, a flip-flop or an adder, and the net at each pin."""

    name: str
    kind: str
    pins: Mapping[str, Net]

    @property
    def is_adder(self) -> bool:
        """Whether it is a full or half adder."""
        return self.kind.endswith(("full_adder", "half_adder"))

    @property
    def inputs(self) -> list[Net]:
        """The nets that it reads."""
        names = "abc" if self.is_adder else "D" if self.kind == FLIP_FLOP else LOGIC[self.kind][0]
        return [self.pins[name] for name in names if name in self.pins]

    @property
    def outputs(self) -> list[Net]:
        """The nets that it drives."""
        names = ("total", "carry") if self.is_adder else ("Q", "Y")
        return [self.pins[name] for name in names if name in self.pins]


class Gates:
    """The gates of one flattened module.

    ``ports`` and ``signals`` give the nets of each bit by name, the lowest first; ``drivers`` the
    cell that drives a net; inputs and constants have none. ``adders`` are the gates of the adders.
    """

    def __init__(self, modules: Mapping[str, Any], top: str):
        module = modules[top]
        self.ports: dict[str, list[Net]] = {
            name: port["bits"] for name, port in module["ports"].items()
        }
        self.inputs = {
            name: self.ports[name]
            for name, port in module["ports"].items()
            if port["direction"] == "input"
        }
        self.signals: dict[str, list[Net]] = {
            name: signal["bits"] for name, signal in module["netnames"].items()
        }
        self.cells: list[Cell] = []
        self.drivers: dict[Net, Cell] = {}
        for name, contents in module["cells"].items():
            if contents["type"] == "$scopeinfo":
                continue
            pins = {pin: bits[0] for pin, bits in contents["connections"].items() if bits}
            cell = Cell(name, contents["type"], pins)
            if not cell.is_adder and cell.kind != FLIP_FLOP and cell.kind not in LOGIC:
                raise ProofError(f"{name} is a {cell.kind}, which is no gate")
            self.cells.append(cell)
            self.drivers.update(dict.fromkeys(cell.outputs, cell))
        kinds = {cell.kind: None for cell in self.cells if cell.is_adder}
        self.adders = {kind: Gates(modules, kind) for kind in kinds}

    @classmethod
    def of(cls, verilog: str, top: str, timeout: float) -> "Gates":
        """Of a module of emitted Verilog."""
        return cls(solver.gates(verilog, top, timeout), top)

    def check_adders(self) -> None:
        """Prove, for all inputs, that each adder keeps the sum; raises :class:`ProofError`."""
        for kind, adder in self.adders.items():
            operands = [adder.ports[name][0] for name in "abc" if name in adder.ports]
            totals, carries = (
                adder.truth(adder.ports[name][0], operands) for name in ("total", "carry")
            )
            for values, total, carry in zip(
                product((0, 1), repeat=len(operands)), totals, carries, strict=True
            ):
                if total + 2 * carry != sum(values):
                    raise ProofError(f"{kind} makes {total} + 2 * {carry} of {values}")

    def next_value(self, state: Net) -> Net:
        """The net that a flip-flop takes next, by the net that shows it."""
        cell = self.drivers.get(state)
        if cell is None or cell.kind != FLIP_FLOP:
            raise ProofError(f"net {self.name(state)} is not a register")
        return cell.pins["D"]

    def signal(self, name: str) -> list[Net]:
        """The nets of a signal that must be there."""
        if name not in self.signals:
            raise ProofError(f"there is no {name}")
        return self.signals[name]

    def name(self, net: Net) -> str:
        """A name for people."""
        for name, nets in self.signals.items():
            if net in nets:
                return f"{name}[{nets.index(net)}]" if len(nets) > 1 else name
        return str(net)

    def cone(
        self,
        roots: Iterable[Net],
        leaves: Iterable[Net] = (),
        stop: Callable[[Cell], bool] = lambda cell: False,
    ) -> tuple[list[Cell], list[Net]]:
        """The cells behind ``roots``, each after its drivers, and the nets at which they start.

        These are ``leaves``, inputs and constants, and the outputs of cells at which to ``stop``.
        """
        given = set(leaves)
        found: list[Net] = []
        order: list[Cell] = []
        done: set[Net] = set()
        placed: set[Cell] = set()
        active: set[Cell] = set()
        stack: list[tuple[Net, bool]] = [(root, False) for root in reversed(list(roots))]
        while stack:
            net, ready = stack.pop()
            cell = self.drivers.get(net)
            if ready and cell is not None:
                active.discard(cell)
                done.add(net)
                if cell not in placed:
                    placed.add(cell)
                    order.append(cell)
                continue
            if net in done:
                continue
            if net in given or cell is None or stop(cell):
                done.add(net)
                found.append(net)
                continue
            if cell in active:
                raise ProofError(f"a loop through {self.name(net)}")
            active.add(cell)
            stack.append((net, True))
            stack += [(source, False) for source in cell.inputs if source not in done]
        return order, found

    def truth(self, root: Net, variables: Sequence[Net]) -> list[int]:
        """The function ``root`` of ``variables``, the first one changing slowest.

        Raises :class:`ProofError` if it depends on anything else.
        """
        _, leaves = self.cone([root], variables, lambda cell: cell.kind not in LOGIC)
        if unknown := [leaf for leaf in leaves if leaf not in variables and leaf not in ("0", "1")]:
            raise ProofError(f"{self.name(root)} depends on {self.name(unknown[0])}")
        rows = list(product((0, 1), repeat=len(variables)))
        values = {
            net: pack(column)
            for net, column in zip(variables, zip(*rows, strict=True), strict=True)
        }
        known = self.evaluate([root], values, len(rows))
        return unpack(known[root], len(rows))

    def evaluate(
        self,
        roots: Iterable[Net],
        values: Mapping[Net, int],
        lanes: int,
        through_registers: bool = False,
    ) -> dict[Net, int]:
        """The nets behind ``roots`` for many inputs, one bit of an integer each.

        ``values`` has the inputs, and the registers unless they are taken for wires.
        """
        mask = (1 << lanes) - 1
        known: dict[Net, int] = {"0": 0, "1": mask, **values}
        order, leaves = self.cone(
            roots, known, lambda cell: cell.kind == FLIP_FLOP and not through_registers
        )
        if unknown := [leaf for leaf in leaves if leaf not in known]:
            raise ProofError(f"{self.name(unknown[0])} has no value")
        for cell in order:
            given = [known[net] for net in cell.inputs]
            if cell.is_adder:
                adder = self.adders[cell.kind]
                pins = [adder.ports[pin][0] for pin in "abc" if pin in adder.ports]
                results = {pin: adder.ports[pin][0] for pin in ("total", "carry")}
                inside = adder.evaluate(
                    results.values(), dict(zip(pins, given, strict=True)), lanes
                )
                known |= {
                    cell.pins[pin]: inside[net] for pin, net in results.items() if pin in cell.pins
                }
            elif cell.kind == FLIP_FLOP:
                known[cell.pins["Q"]] = given[0]
            else:
                known[cell.pins["Y"]] = _FUNCTIONS[cell.kind](mask, *given)
        return known

    def latencies(self, roots: Iterable[Net], states: Iterable[Net]) -> dict[Net, set[int]]:
        """By each leaf of ``roots`` the registers on the ways there, apart from ``states``."""
        order, leaves = self.cone(roots, states)
        behind: dict[Net, set[int]] = {root: {0} for root in roots}
        for cell in reversed(order):
            depths = set[int]().union(*(behind.get(net, set()) for net in cell.outputs))
            if cell.kind == FLIP_FLOP:
                depths = {depth + 1 for depth in depths}
            for net in cell.inputs:
                behind[net] = behind.get(net, set()) | depths
        return {leaf: behind[leaf] for leaf in leaves if leaf not in ("0", "1", "x")}


_FUNCTIONS: dict[str, Callable[..., int]] = {
    "$_NOT_": lambda mask, a: mask ^ a,
    "$_AND_": lambda mask, a, b: a & b,
    "$_OR_": lambda mask, a, b: a | b,
    "$_XOR_": lambda mask, a, b: a ^ b,
    "$_MUX_": lambda mask, a, b, s: (b & s) | (a & (mask ^ s)),
}


def pack(bits: Iterable[int]) -> int:
    """Bits of as many lanes as one integer, the first lane low."""
    return int("".join("1" if bit else "0" for bit in reversed(list(bits))) or "0", 2)


def unpack(word: int, lanes: int) -> list[int]:
    """The inverse of :func:`pack`."""
    return [int(digit) for digit in reversed(f"{word:0{lanes}b}")]


def lane_planes(values: Sequence[int], width: int) -> list[int]:
    """The bits of one integer of each lane, the lowest plane first."""
    return [pack(value >> exponent & 1 for value in values) for exponent in range(width)]


def lane_values(planes: Sequence[int], lanes: int) -> list[int]:
    """The inverse of :func:`lane_planes`."""
    values = [0] * lanes
    for exponent, plane in enumerate(planes):
        for lane, bit in enumerate(unpack(plane, lanes)):
            values[lane] |= bit << exponent
    return values


def linear(gates: Gates, outputs: Mapping[Net, int], modulus: int) -> dict[Net, int]:
    """What the weighted sum of ``outputs`` is, in nets that no adder drives: their weights.

    An adder keeps ``total + 2 * carry = a + b + c``; so where a carry counts twice its total, both
    can be replaced by the inputs. Raises :class:`ProofError` where it does not, modulo ``modulus``.
    """
    order, _ = gates.cone(outputs, stop=lambda cell: not cell.is_adder)
    weights = dict(outputs)
    for adder in reversed(order):
        total = weights.pop(adder.pins["total"], 0) if "total" in adder.pins else 0
        carry = weights.pop(adder.pins["carry"], 0) if "carry" in adder.pins else 0
        if (carry - 2 * total) % modulus:
            raise ProofError(
                f"adder {adder.name}: its total counts {total}, its carry {carry} mod {modulus}"
            )
        for net in adder.inputs:
            if net != "0":
                weights[net] = (weights.get(net, 0) + total) % modulus
    return weights
