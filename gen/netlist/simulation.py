"""Simulation of a mapped netlist, 64 independent sequences per machine word, and its energy."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from operator import mul
from typing import Any

import numpy as np
import numpy.typing as npt

from gen.library.function import Words, compile_function
from gen.library.library import Cell, Library, Table
from gen.netlist.netlist import CONSTANTS, ONE, Instance, Netlist, NetlistError, Port

WORD = 64

Function = Callable[[Mapping[str, Words]], Words]


class Simulator:
    """A cycle-accurate, zero-delay simulation of ``netlist`` in many lanes at once.

    A lane is an independent sequence of inputs and states; ``lanes`` is a multiple of 64. One cycle
    is: :meth:`set` the inputs, :meth:`step`, :meth:`get` the outputs, :meth:`clock`.

    All flip-flops start at 0, or at random values from ``random_state``; all inputs start at 0. The
    clock port is not an input. Unknown constants are 0.
    """

    def __init__(
        self,
        netlist: Netlist,
        library: Library,
        lanes: int,
        random_state: np.random.Generator | None = None,
    ):
        if lanes < 1 or lanes % WORD:
            raise ValueError(f"lanes must be a multiple of {WORD}, not {lanes}")
        self.lanes = lanes
        self._netlist = netlist
        self._counting = False
        self._toggles = np.zeros(netlist.nets, np.int64)
        self._plan(library)
        words = lanes // WORD
        self._values = np.zeros((netlist.nets, words), np.uint64)
        self._values[self._rows[ONE]] = ~np.uint64(0)
        self._settled: Words | None = None
        states = np.zeros((len(netlist.registers), words), np.uint64)
        if random_state is not None:
            states = random_state.integers(0, 1 << 64, states.shape, np.uint64)
        self._set_states(states)

    def set(self, port: str, values: npt.ArrayLike) -> None:
        """Set an input port for all lanes.

        ``values`` is one integer, or an integer array of shape (lanes,), of which the port takes
        the low bits in two's complement; or, for ports of any width, a uint8 array of shape (lanes,
        bytes), the lowest byte first, or a bool array of shape (lanes, width).
        """
        contents = self._port(port)
        if not contents.is_input:
            raise ValueError(f"{port} is an output")
        if self._netlist.clock in contents.nets:
            raise ValueError(f"{port} is the clock: it follows from clock()")
        planes = bit_planes(self._bytes(contents, np.asarray(values)))
        self._values[self._rows[list(contents.nets)]] = planes[: len(contents.nets)]

    def get(self, port: str) -> npt.NDArray[np.uint64]:
        """The value of a port of up to 64 bits in each lane, unsigned."""
        width = len(self._port(port).nets)
        if width > WORD:
            raise ValueError(f"{port} has {width} bits: use get_bytes or get_bits")
        values = np.zeros((self.lanes, 8), np.uint8)
        values[:, : (width + 7) // 8] = self.get_bytes(port)
        return values.view("<u8").astype(np.uint64, copy=False)[:, 0]

    def get_bytes(self, port: str) -> npt.NDArray[np.uint8]:
        """The value of a port in each lane: (lanes, bytes), the lowest byte first."""
        nets = self._port(port).nets
        planes = np.zeros((-(-len(nets) // 8) * 8, self._values.shape[1]), np.uint64)
        planes[: len(nets)] = self._values[self._rows[list(nets)]]
        return lane_bytes(planes)

    def get_bits(self, port: str) -> npt.NDArray[np.bool_]:
        """The bits of a port in each lane: (lanes, width), the lowest bit first."""
        width = len(self._port(port).nets)
        bits = np.unpackbits(self.get_bytes(port), axis=1, count=width, bitorder="little")
        return bits.view(np.bool_)

    def step(self) -> None:
        """Evaluate all logic, from the inputs that were set and the states of the flip-flops."""
        values = self._values
        for inputs, outputs in self._groups:
            operands = {pin: values.take(rows, axis=0) for pin, rows in inputs}
            for function, rows in outputs:
                values[rows] = function(operands)
        if self._counting:
            if self._settled is not None:
                changed = np.bitwise_count(values ^ self._settled).sum(axis=1, dtype=np.int64)
                self._toggles += changed[self._rows]
            self._settled = values.copy()

    def clock(self) -> None:
        """Clock all flip-flops, after :meth:`step`; outputs of logic follow in the next step."""
        self._set_states(self._values.take(self._data_rows, axis=0))
        if self._counting and self._netlist.clock is not None:
            self._toggles[self._netlist.clock] += 2 * self.lanes

    def count_toggles(self, enabled: bool) -> None:
        """Start counting from zero, or stop counting and keep :attr:`toggles`.

        Changes count from the settled values of one step to those of the next. If there has been no
        step since counting began, the next one only sets what the others are compared with.
        """
        if enabled:
            self._toggles[:] = 0
            self._settled = None
        self._counting = enabled

    @property
    def toggles(self) -> npt.NDArray[np.int64]:
        """How often each net has changed, summed over lanes and cycles, without glitches.

        The clock changes twice in every :meth:`clock`.
        """
        return self._toggles.copy()

    def _plan(self, library: Library) -> None:
        """Give every net a row of values so that what is written together fills adjacent rows."""
        netlist = self._netlist
        order = list(range(len(CONSTANTS)))
        for port in netlist.ports.values():
            order += port.nets if port.is_input else ()
        registers = [
            (register, flip_flop)
            for register in netlist.registers
            if (flip_flop := library.cells[register.cell].flip_flop) is not None
        ]
        # Rows, the registers that drive them, and what they invert.
        self._state_rows: list[tuple[slice, npt.NDArray[np.intp], np.uint64]] = []
        for inverted in (False, True):
            driven = []
            for index, (register, flip_flop) in enumerate(registers):
                pin = flip_flop.inverted_output if inverted else flip_flop.output
                if pin is not None and pin in register.outputs:
                    driven.append((register.outputs[pin], index))
            rows = slice(len(order), len(order) + len(driven))
            indices = np.array([index for _, index in driven], np.intp)
            self._state_rows.append((rows, indices, ~np.uint64(0) if inverted else np.uint64(0)))
            order += [net for net, _ in driven]
        groups = _groups(netlist)
        starts = []
        for outputs, instances in groups:
            starts.append(len(order))
            order += [instance.outputs[pin] for pin in outputs for instance in instances]
        # What nothing drives, nothing reads either.
        order += sorted(set(range(netlist.nets)) - set(order))
        self._rows = np.empty(netlist.nets, np.intp)
        self._rows[order] = np.arange(netlist.nets)
        data = [register.inputs[flip_flop.data] for register, flip_flop in registers]
        self._data_rows = self._rows[data]
        functions = _functions(library, netlist)
        self._groups: list[_Group] = []
        for start, (outputs, instances) in zip(starts, groups, strict=True):
            first = instances[0]
            inputs = [
                (pin, self._rows[[instance.inputs[pin] for instance in instances]])
                for pin in first.inputs
            ]
            size = len(instances)
            targets = [
                (functions[first.cell, pin], slice(begin, begin + size))
                for begin, pin in zip(range(start, len(order), size), outputs, strict=False)
            ]
            self._groups.append((inputs, targets))

    def _set_states(self, states: Words) -> None:
        for rows, registers, inverted in self._state_rows:
            self._values[rows] = states[registers] ^ inverted

    def _port(self, name: str) -> Port:
        port = self._netlist.ports.get(name)
        if port is None:
            raise ValueError(f"{self._netlist.name} has no port {name}")
        return port

    def _bytes(self, port: Port, values: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
        """What :meth:`set` takes, as bytes of each lane: (lanes, bytes)."""
        width = len(port.nets)
        if values.ndim == 2 and values.dtype == np.bool_:
            expected, result = width, np.packbits(values, axis=1, bitorder="little")
        elif values.ndim == 2 and values.dtype == np.uint8:
            expected, result = -(-width // 8), values
        elif values.ndim < 2 and values.dtype.kind in "iub":
            if width > WORD:
                raise ValueError(f"{port.name} has {width} bits: give it bytes or bits")
            words = np.broadcast_to(values.astype("<u8"), (self.lanes,))
            return np.ascontiguousarray(words).view(np.uint8).reshape(self.lanes, 8)
        else:
            raise TypeError(f"{port.name} takes integers, bytes or bits, not {values.dtype}")
        if values.shape != (self.lanes, expected):
            raise ValueError(
                f"{port.name} takes shape {(self.lanes, expected)}, not {values.shape}"
            )
        return result


def energy(
    netlist: Netlist,
    library: Library,
    toggles: npt.NDArray[np.int64],
    wire_load: float = 2.0,
    slew: float = 100.0,
) -> float:
    """The dynamic energy in fJ of the changes of nets that a simulation counted.

    Counted are, per change of a net,

    - C V^2 / 2, where C is the capacitance of the input pins at the net, and ``wire_load`` fF each.
      Nets at input ports count, what output ports drive outside does not: the input ports there do.
    - the internal energy of the cell that drives the net, at that load and an input slew of
      ``slew`` ps, and of each cell with an input pin there, where the library states them: the mean
      of rise and fall, and of the inputs that an output depends on.

    The clock is such a net, which changes twice a cycle; its buffers are not part of a netlist.
    Leakage is not counted, nor are glitches, which the simulation does not see.
    """
    loads = netlist.loads(library, wire_load)
    counts = toggles.tolist()
    total: float = 0.5 * library.voltage**2 * sum(map(mul, loads, counts))
    tables = {name: _internal_energy(library.cells[name]) for name in netlist.cell_counts}
    known: dict[tuple[str, str, float], float] = {}
    for instance in netlist.instances:
        for pin, energies in tables[instance.cell].items():
            is_output = pin in instance.outputs
            net = instance.outputs[pin] if is_output else instance.inputs.get(pin)
            if net is None or not counts[net]:
                continue
            key = (instance.cell, pin, loads[net] if is_output else 0.0)
            if key not in known:
                at = [table.at(key[-1], slew) for table in energies]
                known[key] = sum(at) / len(at)
            total += counts[net] * known[key]
    return total


def _internal_energy(cell: Cell) -> dict[str, list[Table]]:
    """The tables of each pin of ``cell`` that has any."""
    tables: dict[str, list[Table]] = defaultdict(list)
    for internal in cell.internal_energy:
        tables[internal.pin] += [internal.rise, internal.fall]
    return tables


def bit_planes(values: npt.NDArray[np.uint8]) -> Words:
    """Turn bytes of each lane, (lanes, bytes), into planes: (8 * bytes, lanes / 64) words.

    Lane l is bit l % 64 of word l // 64.
    """
    lanes, count = values.shape
    # Eight lanes at a time: an 8 x 8 matrix of bits, whose transpose holds one byte of each plane.
    matrices = np.ascontiguousarray(values.T).view("<u8")
    planes = _transposed(matrices).view(np.uint8).reshape(count, lanes // 8, 8)
    packed = np.ascontiguousarray(planes.transpose(0, 2, 1)).reshape(8 * count, lanes // 8)
    return packed.view("<u8").astype(np.uint64, copy=False)


def lane_bytes(planes: Words) -> npt.NDArray[np.uint8]:
    """The inverse of :func:`bit_planes`, for a multiple of 8 planes."""
    count, words = planes.shape
    packed = planes.astype("<u8", copy=False).view(np.uint8).reshape(count // 8, 8, 8 * words)
    matrices = np.ascontiguousarray(packed.transpose(0, 2, 1)).reshape(count // 8, -1).view("<u8")
    values = _transposed(matrices).view(np.uint8)
    return np.ascontiguousarray(values.T)


def _transposed(matrices: Words) -> Words:
    """The transposes of 8 x 8 matrices of bits, whose rows are the bytes of a word."""
    for distance, mask in (
        (7, 0x00AA00AA00AA00AA),  # within blocks of 2 x 2 bits
        (14, 0x0000CCCC0000CCCC),  # blocks of 2 x 2 within 4 x 4
        (28, 0x00000000F0F0F0F0),
    ):
        shift = np.uint64(distance)
        swapped = (matrices ^ (matrices >> shift)) & np.uint64(mask)
        matrices = matrices ^ swapped ^ (swapped << shift)
    return matrices


# The pins and their rows; the functions and the rows that they fill.
_Group = tuple[
    list[tuple[str, npt.NDArray[np.intp]]],
    list[tuple[Function, slice]],
]


def _functions(library: Library, netlist: Netlist) -> dict[tuple[str, str], Function]:
    """The compiled function of each output pin of the cells in the netlist's logic."""
    functions: dict[tuple[str, str], Function] = {}
    for name in {instance.cell: None for instance in netlist.logic}:
        for pin in library.cells[name].pins.values():
            if pin.is_input:
                continue
            if pin.function is None:
                raise NetlistError(f"{library.name} does not say what {name} computes")
            functions[name, pin.name] = compile_function(pin.function)
    return functions


def _groups(netlist: Netlist) -> list[tuple[tuple[str, ...], list[Instance]]]:
    """The logic in groups of instances of one cell, with their outputs, each after its drivers."""
    waiting_for = {net for instance in netlist.logic for net in instance.outputs.values()}
    missing = {
        instance: sum(net in waiting_for for net in instance.inputs.values())
        for instance in netlist.logic
    }
    remaining: dict[tuple[str, ...], int] = defaultdict(int)
    ready: dict[tuple[str, ...], list[Instance]] = defaultdict(list)
    for instance in netlist.logic:
        kind = (instance.cell, *instance.outputs)
        remaining[kind] += 1
        if not missing[instance]:
            ready[kind].append(instance)
    groups = []
    while ready:
        # First the kind of which most are ready: few groups then hold all of a kind.
        kind = max(ready, key=lambda kind: len(ready[kind]) / remaining[kind])
        instances = ready.pop(kind)
        remaining[kind] -= len(instances)
        groups.append((kind[1:], instances))
        for instance in instances:
            for net in instance.outputs.values():
                for sink, _ in netlist.sinks[net]:
                    if sink in missing:
                        missing[sink] -= 1
                        if not missing[sink]:
                            ready[sink.cell, *sink.outputs].append(sink)
    return groups
