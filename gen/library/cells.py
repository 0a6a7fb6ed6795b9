"""Cells of a Liberty file: their units, tables, arcs and flip-flops."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

import numpy as np

from gen.library.errors import NotUnderstoodError
from gen.library.function import sense_of, truth_table
from gen.library.liberty import Group, number, numbers
from gen.library.library import SENSES, Arc, Cell, FlipFlop, InternalEnergy, Pin, Sense, Table

# The slews of clock and data at which a setup time is taken.
_SETUP_SLEW_PS = 100.0


# Groups of cells that are more than logic or a plain flip-flop.
_SPECIAL_GROUPS = {"latch", "latch_bank", "ff_bank", "statetable", "bus", "bundle", "test_cell"}

_TIME_PS = {"fs": 1e-3, "ps": 1.0, "ns": 1e3, "us": 1e6, "ms": 1e9, "s": 1e12}
_CAPACITANCE_FF = {"af": 1e-3, "ff": 1.0, "pf": 1e3, "nf": 1e6, "uf": 1e9, "f": 1e15}
_VOLTAGE_V = {"uv": 1e-6, "mv": 1e-3, "v": 1.0}

# Variables of tables, and the axes of a Table that they are.
_DELAY_AXES = {"total_output_net_capacitance": 0, "input_net_transition": 1}
_ENERGY_AXES = {"total_output_net_capacitance": 0, "input_transition_time": 1}
_CONSTRAINT_AXES = {"related_pin_transition": 0, "constrained_pin_transition": 1}

# Of each supply, the tables of a rise and of a fall in each state.
_Supplies = dict[str | None, list[tuple[Table, Table]]]


class CellReader:
    """Reads the cells of a library with its units and templates."""

    def __init__(self, library: Group):
        self.time = self._unit(library, "time_unit", _TIME_PS, "1ns")
        self.capacitance = self._unit(library, "capacitive_load_unit", _CAPACITANCE_FF, None)
        volt = self._unit(library, "voltage_unit", _VOLTAGE_V, "1V")
        self._energy = volt**2 * self.capacitance
        self._templates = {
            (group.kind, group.arguments[0]): group
            for group in library.inner("lu_table_template", "power_lut_template")
            if group.arguments
        }
        self._default_capacitance = library.text("default_input_pin_cap")
        voltage = library.text("nom_voltage")
        for conditions in library.inner("operating_conditions"):
            if voltage is None:
                voltage = conditions.text("voltage")
        if voltage is None:
            raise NotUnderstoodError("it has no nom_voltage")
        self.voltage = number(voltage) * volt
        if self.voltage <= 0:
            raise NotUnderstoodError("its nom_voltage is not above 0")

    @staticmethod
    def _unit(library: Group, name: str, scales: Mapping[str, float], default: str | None) -> float:
        text = library.text(name) or default
        if text is None:
            raise NotUnderstoodError(f"it has no {name}")
        match = re.fullmatch(r"([\d.]+(?:[eE][-+]?\d+)?)\s*([a-z]+)", text.lower())
        if match is None or match[2] not in scales or number(match[1]) <= 0:
            raise NotUnderstoodError(f"its {name} is {text!r}")
        return number(match[1]) * scales[match[2]]

    def cell(self, group: Group) -> Cell:
        """A cell; raises :class:`NotUnderstoodError` for any that is to be skipped."""
        if len(group.arguments) != 1:
            raise NotUnderstoodError("a cell without a name")
        if group.is_true("dont_use") or group.is_true("pad_cell"):
            raise NotUnderstoodError("not to be used")
        area = group.text("area")
        if area is None or number(area) <= 0:
            raise NotUnderstoodError("no area")
        if group.inner(*_SPECIAL_GROUPS):
            raise NotUnderstoodError("more than logic or a plain flip-flop")
        pin_groups = {name: pin for pin in group.inner("pin") for name in pin.arguments}
        is_input = {name: self._is_input(pin) for name, pin in pin_groups.items()}
        outputs = {name: pin for name, pin in pin_groups.items() if not is_input[name]}
        inputs = [name for name in pin_groups if is_input[name]]
        functions = {name: self._function(pin) for name, pin in outputs.items()}
        if not functions:
            raise NotUnderstoodError("no output")

        arcs: list[Arc] = []
        flip_flops = group.inner("ff")
        flip_flop = None
        if flip_flops:
            flip_flop = self._flip_flop(flip_flops, functions, pin_groups, inputs)
            clock = {flip_flop.clock: "non_unate"}
            for name, pin in outputs.items():
                arcs += self._arcs(name, pin, clock, "rising_edge")
        else:
            for name, pin in outputs.items():
                truth = truth_table(functions[name], inputs)
                senses = {
                    source: sense
                    for axis, source in enumerate(inputs)
                    if (sense := sense_of(truth, axis)) is not None
                }
                arcs += self._arcs(name, pin, senses, "combinational")
        return Cell(
            name=group.arguments[0],
            area=number(area),
            pins={
                name: Pin(
                    name,
                    is_input[name],
                    self._pin_capacitance(pin, is_input[name]),
                    functions.get(name) if flip_flop is None else None,
                )
                for name, pin in pin_groups.items()
            },
            arcs=tuple(arcs),
            flip_flop=flip_flop,
            internal_energy=tuple(self._internal_energy(pin_groups)),
        )

    @staticmethod
    def _is_input(pin: Group) -> bool:
        direction = pin.text("direction")
        if direction not in ("input", "output"):
            raise NotUnderstoodError(f"a pin of direction {direction}")
        return direction == "input"

    @staticmethod
    def _function(pin: Group) -> str:
        function = pin.text("function")
        if function is None or pin.text("three_state") is not None:
            raise NotUnderstoodError("an output that is no function")
        return function

    def _pin_capacitance(self, pin: Group, is_input: bool) -> float:
        edges = [pin.text(f"{edge}_capacitance") for edge in ("rise", "fall")]
        if None not in edges:
            value = sum(map(number, edges)) / 2
        else:
            given = pin.text("capacitance")
            given = self._default_capacitance if given is None and is_input else given
            if given is None and is_input:
                raise NotUnderstoodError("an input without a capacitance")
            value = 0.0 if given is None else number(given)
        return value * self.capacitance

    def _flip_flop(
        self,
        groups: Sequence[Group],
        functions: Mapping[str, str],
        pins: Mapping[str, Group],
        inputs: Sequence[str],
    ) -> FlipFlop:
        ff = groups[0]
        if len(groups) != 1 or len(ff.arguments) != 2 or len(inputs) != 2:
            raise NotUnderstoodError("more than one plain flip-flop")
        if "clear" in ff.attributes or "preset" in ff.attributes:
            raise NotUnderstoodError("a flip-flop with set or reset")
        clock, data = (self._one_of(inputs, ff, name) for name in ("clocked_on", "next_state"))
        state, inverse = ff.arguments
        found: dict[Sense, str] = {}
        for name, function in functions.items():
            truth = truth_table(function, (state, inverse))
            # The two variables are always opposite.
            sense = sense_of(np.array([truth[0, 1], truth[1, 0]]), 0)
            if sense is None or sense in found:
                raise NotUnderstoodError("an output that is not the state")
            found[sense] = name
        if "positive_unate" not in found or clock == data:
            raise NotUnderstoodError("no output of the state")
        return FlipFlop(
            clock,
            data,
            found["positive_unate"],
            found.get("negative_unate"),
            self._setup(pins[data], clock),
        )

    @staticmethod
    def _one_of(inputs: Sequence[str], ff: Group, attribute: str) -> str:
        """The input that an attribute of ``ff`` is, and not a function of it."""
        truth = truth_table(ff.text(attribute) or "", inputs)
        for axis, name in enumerate(inputs):
            others = [i for i in range(len(inputs)) if i != axis]
            if sense_of(truth, axis) == "positive_unate" and not any(
                sense_of(truth, other) for other in others
            ):
                return name
        raise NotUnderstoodError(f"{attribute} is not a pin")

    def _setup(self, data: Group, clock: str) -> float:
        values = []
        for timing in data.inner("timing"):
            kind = timing.text("timing_type")
            if kind == "setup_rising" and clock in self._related(timing):
                for group in timing.inner("rise_constraint", "fall_constraint"):
                    table = self._table(group, _CONSTRAINT_AXES, self.time)
                    slews = (
                        float(np.clip(_SETUP_SLEW_PS, axis[0], axis[-1]))
                        for axis in (table.loads, table.slews)
                    )
                    values.append(table.at(*slews))
        if not values:
            raise NotUnderstoodError("no setup time")
        return max(values)

    @staticmethod
    def _related(group: Group) -> list[str]:
        return (group.text("related_pin") or "").split()

    def _arcs(
        self, sink: str, pin: Group, senses: Mapping[str, str], timing_type: str
    ) -> Iterator[Arc]:
        """The arcs from the pins ``senses``, which says their sense if the library does not."""
        missing = set(senses)
        for timing in pin.inner("timing"):
            if (timing.text("timing_type") or "combinational") != timing_type:
                continue
            for source in self._related(timing):
                if source not in senses:
                    continue
                named = timing.text("timing_sense") or senses[source]
                for sense in SENSES:
                    if sense == named:
                        break
                else:
                    raise NotUnderstoodError(f"a timing sense {named}")
                tables = [
                    self._table(self._only(timing, name), _DELAY_AXES, self.time)
                    for name in ("cell_rise", "cell_fall", "rise_transition", "fall_transition")
                ]
                missing.discard(source)
                yield Arc(source, sink, sense, *tables)
        if missing:
            raise NotUnderstoodError(f"no delay from {', '.join(sorted(missing))} to {sink}")

    @staticmethod
    def _only(group: Group, name: str) -> Group:
        groups = group.inner(name)
        if len(groups) != 1:
            raise NotUnderstoodError(f"not one {name}")
        return groups[0]

    def _internal_energy(self, pins: Mapping[str, Group]) -> Iterator[InternalEnergy]:
        """What is understood of it."""
        # For every pin and what causes its change, for every supply, the tables of all states.
        supplies_of: dict[tuple[str, str | None], _Supplies]
        supplies_of = defaultdict(lambda: defaultdict(list))
        for name, pin in pins.items():
            for power in pin.inner("internal_power"):
                try:
                    tables = self._energies(power)
                except NotUnderstoodError:
                    continue
                causes: list[str | None] = [*self._related(power)]
                for cause in causes or [None]:
                    supplies_of[name, cause][power.text("related_pg_pin")].append(tables)
        for (name, cause), supplies in supplies_of.items():
            weighted = [
                (tables, 1 / len(states)) for states in supplies.values() for tables in states
            ]
            yield InternalEnergy(
                name,
                cause,
                _sum([(rise, weight) for (rise, _), weight in weighted]),
                _sum([(fall, weight) for (_, fall), weight in weighted]),
            )

    def _energies(self, power: Group) -> tuple[Table, Table]:
        """Of a rise and of a fall; what is not given is the same, or nothing."""
        by_name = {
            name: self._table(self._only(power, name), _ENERGY_AXES, self._energy)
            for name in ("power", "rise_power", "fall_power")
            if power.inner(name)
        }
        if not by_name:
            raise NotUnderstoodError("no energy")
        nothing = Table(np.zeros(1), np.zeros(1), np.zeros((1, 1)))
        both = by_name.get("power", nothing)
        return by_name.get("rise_power", both), by_name.get("fall_power", both)

    def _table(self, group: Group, axes: Mapping[str, int], scale: float) -> Table:
        """A table with the variables ``axes``; its values times ``scale``."""
        template = self._template(group)
        points = [np.zeros(1), np.zeros(1)]
        order = []
        for place in (1, 2, 3):
            variable = template.text(f"variable_{place}") if template else None
            if variable is None:
                break
            axis = axes.get(variable)
            if axis is None or axis in order:
                raise NotUnderstoodError(f"a table over {variable}")
            index = group.attributes.get(f"index_{place}")
            if index is None and template is not None:
                index = template.attributes.get(f"index_{place}")
            is_load = variable == "total_output_net_capacitance"
            points[axis] = numbers(index) * (self.capacitance if is_load else self.time)
            if not len(points[axis]) or any(a >= b for a, b in pairwise(points[axis])):
                raise NotUnderstoodError("points of a table that do not ascend")
            order.append(axis)
        values = numbers(group.attributes.get("values")) * scale
        shape = (len(points[0]), len(points[1]))
        if values.size != shape[0] * shape[1]:
            raise NotUnderstoodError("a table of the wrong size")
        # The first variable of the library changes slowest.
        values = values.reshape(shape[::-1]).T if order == [1, 0] else values.reshape(shape)
        return Table(points[0], points[1], np.ascontiguousarray(values))

    def _template(self, group: Group) -> Group | None:
        """The template of a table; None for one value."""
        name = group.arguments[0] if group.arguments else "scalar"
        for kind in ("power_lut_template", "lu_table_template"):
            if (kind == "power_lut_template") == ("power" in group.kind) and (
                template := self._templates.get((kind, name))
            ):
                return template
        if name == "scalar":
            return None
        raise NotUnderstoodError(f"no template {name}")


def _sum(weighted: Sequence[tuple[Table, float]]) -> Table:
    """The weighted sum of tables, at the points of the one with the most."""
    grid = max((table for table, _ in weighted), key=lambda table: table.values.size)
    total = np.zeros(grid.values.shape)
    for table, weight in weighted:
        total += weight * np.array(
            [[table.at(load, slew) for slew in grid.slews] for load in grid.loads]
        )
    return Table(grid.loads, grid.slews, total)
