"""Static timing analysis of a mapped netlist with the tables of its library."""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import inf

from gen.library.library import Arc, Cell, Library, Table
from gen.netlist.netlist import Instance, Netlist, NetlistError

RISE, FALL = range(2)

WIRE_LOAD_FF = 2.0
"""What the wire to each sink is taken for."""

INPUT_SLEW_PS = 50.0
"""The slew of the clock, and of inputs that no flip-flop drives."""

# For each sense, the edges at the input that cause a rise, and those that cause a fall.
_CAUSES = {
    "positive_unate": ((RISE,), (FALL,)),
    "negative_unate": ((FALL,), (RISE,)),
    "non_unate": ((RISE, FALL), (RISE, FALL)),
}


@dataclass(frozen=True)
class Timing:
    """The slowest path of a netlist.

    ``delay_ps`` is the shortest clock period that the netlist works at, with an ideal clock.
    ``start`` and ``end`` name where the path begins and ends: "input a[3]", "output sum[15]", or a
    flip-flop by the net that it drives. ``cells`` are the names of the library cells along it, a
    flip-flop of the netlist that it starts from among them.
    """

    delay_ps: float
    start: str
    end: str
    cells: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.delay_ps:.0f} ps from {self.start} to {self.end}"


@dataclass(frozen=True, slots=True)
class _Event:
    """The latest rise or fall of a net, the slowest slew of any, and what caused the latest."""

    arrival: float
    slew: float
    cell: str | None
    cause: "_Event | None"
    start: str


class _Curve:
    """A table at one load: a piecewise linear function of the slew, extrapolated at both ends."""

    __slots__ = ("_lines", "_slews")

    def __init__(self, slews: Sequence[float], values: Sequence[float]):
        self._slews = slews[1:-1]
        self._lines = [] if len(slews) > 1 else [(values[0], 0.0)]
        for (x, y), (next_x, next_y) in pairwise(zip(slews, values, strict=True)):
            slope = (next_y - y) / (next_x - x)
            self._lines.append((y - slope * x, slope))

    def __call__(self, slew: float) -> float:
        offset, slope = self._lines[bisect_right(self._slews, slew)]
        return offset + slope * slew


# Delay and output slew, each by the edge at the output.
_ArcCurves = tuple[tuple[_Curve, _Curve], tuple[_Curve, _Curve]]


class _Curves:
    """The curves of every arc at the loads met so far: many nets have the same loads."""

    def __init__(self) -> None:
        self._arcs: dict[tuple[Arc, float], _ArcCurves] = {}
        # NumPy is slow at single numbers.
        self._tables: dict[Table, tuple[list[float], list[float], list[list[float]]]] = {}

    def of(self, arc: Arc, load: float) -> _ArcCurves:
        curves = self._arcs.get((arc, load))
        if curves is None:
            curves = self._arcs[arc, load] = (
                (self._at(arc.cell_rise, load), self._at(arc.rise_transition, load)),
                (self._at(arc.cell_fall, load), self._at(arc.fall_transition, load)),
            )
        return curves

    def _at(self, table: Table, load: float) -> _Curve:
        if table not in self._tables:
            lists = table.loads.tolist(), table.slews.tolist(), table.values.tolist()
            self._tables[table] = lists
        loads, slews, rows = self._tables[table]
        if len(loads) == 1:
            return _Curve(slews, rows[0])
        upper = bisect_right(loads, load, 1, len(loads) - 1)
        weight = (load - loads[upper - 1]) / (loads[upper] - loads[upper - 1])
        return _Curve(
            slews,
            [
                low + weight * (high - low)
                for low, high in zip(rows[upper - 1], rows[upper], strict=True)
            ],
        )


def critical_path(
    netlist: Netlist,
    library: Library,
    wire_load: float = WIRE_LOAD_FF,
    input_slew: float = INPUT_SLEW_PS,
    *,
    registered_inputs: bool = True,
) -> Timing:
    """The slowest path from a flip-flop or an input port to a flip-flop or an output port.

    The clock is ideal, with a slew of ``input_slew`` ps. A path from a flip-flop includes its clock
    to output delay, and one to a flip-flop its setup time. An input port is driven by a flip-flop
    outside, as in a neighbour of a systolic array, whose clock to output delay counts too; with
    ``registered_inputs`` off, inputs arrive at 0 with a slew of ``input_slew``. An output port is
    loaded by one flip-flop outside, without a setup time. Both are the library's smallest.

    Rises and falls are propagated apart. Where paths meet, the latest arrival and the slowest slew
    go on, of whichever path each is. Every input pin and output port adds ``wire_load`` fF to the
    net at it. Raises :class:`NetlistError` if there is no path.
    """
    events = _Analysis(netlist, library, wire_load, input_slew, registered_inputs).events
    worst: tuple[float, _Event] | None = None
    end = ""
    for net, added, name in _end_points(netlist, library):
        for event in events[net] or ():
            if worst is None or event.arrival + added > worst[0]:
                worst, end = (event.arrival + added, event), name
    if worst is None:
        raise NetlistError(f"{netlist.name} has no path from an input or flip-flop to another")
    delay_ps, last = worst
    cells = []
    step: _Event | None = last
    while step is not None:
        if step.cell is not None:
            cells.append(step.cell)
        step = step.cause
    return Timing(delay_ps, last.start, end, tuple(reversed(cells)))


@dataclass(frozen=True)
class PathDelays:
    """Delays in whole picoseconds, at least 1, to a fall and to a rise.

    ``paths`` are those of instances that may change: (instance, input, output) -> delays at the
    slowest slew of the input's causing edges; of several arcs, or causes, the slowest. ``launches``
    are those of input ports and flip-flops: net -> delays after the clock.
    """

    paths: dict[tuple[str, str, str], tuple[int, int]]
    launches: dict[int, tuple[int, int]]


def path_delays(netlist: Netlist, library: Library) -> PathDelays:
    """The delays that :func:`critical_path` adds up, of each path through a cell by itself."""
    analysis = _Analysis(netlist, library, WIRE_LOAD_FF, INPUT_SLEW_PS, True)
    paths: dict[tuple[str, str, str], tuple[int, int]] = {}
    for instance in netlist.logic:
        for source, sink, edges, arc in analysis.arcs[instance.cell]:
            at_source = analysis.events[instance.inputs[source]]
            if sink not in instance.outputs or at_source is None:
                continue
            curves = analysis.curves.of(arc, analysis.loads[instance.outputs[sink]])
            key = (instance.name, source, sink)
            rise, fall = (
                max(curves[edge][0](at_source[cause].slew) for cause in edges[edge])
                for edge in (RISE, FALL)
            )
            known = paths.get(key, (1, 1))
            paths[key] = max(known[0], round(fall)), max(known[1], round(rise))
    launches = {
        net: (max(1, round(both[FALL].arrival)), max(1, round(both[RISE].arrival)))
        for net in analysis.launched
        if (both := analysis.events[net]) is not None
    }
    return PathDelays(paths, launches)


_ArcsOf = list[tuple[str, str, tuple[tuple[int, ...], tuple[int, ...]], Arc]]


class _Analysis:
    """The latest events of all nets, and what they follow from."""

    def __init__(
        self,
        netlist: Netlist,
        library: Library,
        wire_load: float,
        input_slew: float,
        registered_inputs: bool,
    ):
        neighbour = smallest_flip_flop(library)
        assert neighbour.flip_flop is not None
        port_load = neighbour.pins[neighbour.flip_flop.data].capacitance + wire_load
        self.loads = netlist.loads(library, wire_load, port_load)
        self.curves = _Curves()
        self.events: list[tuple[_Event, _Event] | None] = [None] * netlist.nets
        self.launched: list[int] = []
        self.arcs: dict[str, _ArcsOf] = {
            cell: [
                (arc.source, arc.sink, _CAUSES[arc.sense], arc) for arc in library.cells[cell].arcs
            ]
            for cell in netlist.cell_counts
        }
        self._input_slew = input_slew
        for port in netlist.ports.values():
            for index, net in enumerate(port.nets):
                if not port.is_input or net == netlist.clock:
                    continue
                start = f"input {_bit(port.name, index, port.nets)}"
                if registered_inputs:
                    self._launch(neighbour, neighbour.flip_flop.output, net, start, None)
                else:
                    event = _Event(0.0, input_slew, None, None, start)
                    self.events[net] = (event, event)
        for register in netlist.registers:
            for output, net in register.outputs.items():
                start = register_name(netlist, library, register)
                self._launch(library.cells[register.cell], output, net, start, register.cell)
        for instance in netlist.logic:
            _propagate(instance, self.arcs[instance.cell], self.loads, self.events, self.curves.of)

    def _launch(self, cell: Cell, output: str, net: int, start: str, name: str | None) -> None:
        """The events of a net that the clock causes."""
        arcs = [self.curves.of(arc, self.loads[net]) for arc in cell.arcs if arc.sink == output]
        if not arcs:
            raise NetlistError(f"{cell.name} has no delay to {output}")
        rise, fall = (
            _Event(
                max(arc[edge][0](self._input_slew) for arc in arcs),
                max(arc[edge][1](self._input_slew) for arc in arcs),
                *(name, None, start),
            )
            for edge in (RISE, FALL)
        )
        self.events[net] = (rise, fall)
        self.launched.append(net)


def smallest_flip_flop(library: Library) -> Cell:
    """The flip-flop of the smallest area, of several the first by name."""
    cells = [cell for cell in library.cells.values() if cell.flip_flop is not None]
    if not cells:
        raise NetlistError(f"{library.name} has no flip-flop")
    return min(cells, key=lambda cell: (cell.area, cell.name))


def register_name(netlist: Netlist, library: Library, register: Instance) -> str:
    """What a flip-flop is called: the net at its output, or its own name if it drives none."""
    flip_flop = library.cells[register.cell].flip_flop
    assert flip_flop is not None
    for pin in (flip_flop.output, flip_flop.inverted_output):
        if pin is not None and pin in register.outputs:
            return netlist.net_names[register.outputs[pin]]
    return register.name


def _propagate(
    instance: Instance,
    arcs: Iterable[tuple[str, str, tuple[tuple[int, ...], tuple[int, ...]], Arc]],
    loads: Sequence[float],
    events: list[tuple[_Event, _Event] | None],
    curves_of: Callable[[Arc, float], _ArcCurves],
) -> None:
    """Set the events of the nets that ``instance`` drives; none if its inputs are constant."""
    for output, net in instance.outputs.items():
        arrivals, slews = [-inf, -inf], [0.0, 0.0]
        causes: list[_Event | None] = [None, None]
        load = loads[net]
        for source, sink, edges, arc in arcs:
            if sink != output:
                continue
            at_source = events[instance.inputs[source]]
            if at_source is None:
                continue
            curves = curves_of(arc, load)
            for edge in (RISE, FALL):
                delay, slew = curves[edge]
                for cause_edge in edges[edge]:
                    cause = at_source[cause_edge]
                    arrival = cause.arrival + delay(cause.slew)
                    if arrival > arrivals[edge]:
                        arrivals[edge], causes[edge] = arrival, cause
                    slews[edge] = max(slews[edge], slew(cause.slew))
        rise_cause, fall_cause = causes
        if rise_cause is not None and fall_cause is not None:
            events[net] = (
                _Event(arrivals[RISE], slews[RISE], instance.cell, rise_cause, rise_cause.start),
                _Event(arrivals[FALL], slews[FALL], instance.cell, fall_cause, fall_cause.start),
            )


def _end_points(netlist: Netlist, library: Library) -> Iterable[tuple[int, float, str]]:
    """The net, the setup time and the name of every end point."""
    for register in netlist.registers:
        flip_flop = library.cells[register.cell].flip_flop
        assert flip_flop is not None
        name = register_name(netlist, library, register)
        yield register.inputs[flip_flop.data], flip_flop.setup, name
    for port in netlist.ports.values():
        if not port.is_input:
            for index, net in enumerate(port.nets):
                yield net, 0.0, f"output {_bit(port.name, index, port.nets)}"


def _bit(name: str, index: int, nets: Sequence[int]) -> str:
    return f"{name}[{index}]" if len(nets) > 1 else name
