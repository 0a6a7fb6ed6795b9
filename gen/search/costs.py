"""What choices cost: area and energy of mapped designs, cycles of the compiler's model."""

from collections.abc import Sequence
from math import prod
from pathlib import Path
from typing import Any

from rich.progress import Progress

from gen.compiler.compile import compile_network
from gen.compiler.report import layer_report, totals
from gen.search.choice import Choice
from gen.search.layers import Layers
from gen.search.machine import Machine
from gen.synthesis.area import FOLDER, run_area
from gen.synthesis.energy import demo_operands
from gen.synthesis.mapping import RECIPES
from gen.synthesis.measure import Workshop
from gen.synthesis.units import Unit
from golden.accelerator.shape import AcceleratorShape
from networks.graph.graph import Graph
from networks.graph.operations import MatrixLayer
from networks.quantization.network import QuantizedNetwork
from networks.quantization.reordering import in_stored_order
from support.tasks import run_tasks

AREA, CYCLES, ENERGY, AREA_CYCLES = "area", "cycles", "energy", "area-cycles"
COSTS = (AREA_CYCLES, CYCLES, AREA, ENERGY)
LIMITED = (AREA, CYCLES)
"""Costs that can be limited beside the one that is searched over."""
MEANINGS = {
    AREA: "of the array, {unit}",
    CYCLES: "of an image",
    ENERGY: "of the elements for an image, uJ",
    AREA_CYCLES: "area times cycles: {unit} for an image in a cycle",
}
ENERGY_RECIPE = next(recipe for recipe in RECIPES if recipe.name == "area-nodes")
"""Of the netlists that energies are measured of: of one recipe, as adder cells of some libraries
have no energy inside."""
FEMTO_PER_MICRO = 1e9
Timing = tuple[AcceleratorShape, int, int]


class Costs:
    """Costs of choices for one network, each measured once."""

    def __init__(
        self,
        graph: Graph,
        library: str | Path,
        target_ps: int | None,
        progress: Progress,
        scheduler: str | None = None,
    ) -> None:
        self._graph = graph
        self._library = library
        self._target_ps = target_ps
        self._progress = progress
        self._scheduler = scheduler
        self._areas: dict[Unit, dict[str, Any]] = {}
        self._energies: dict[Unit, float] = {}
        self._cycles: dict[tuple[Timing, Layers], dict[str, int]] = {}

    def of(self, cost: str, choices: Sequence[Choice]) -> list[float]:
        """The cost of that name, one of :data:`COSTS`, of each of ``choices``."""
        if cost == AREA:
            return self.areas([(choice.machine, choice.acc_bits) for choice in choices])
        if cost == CYCLES:
            return [float(each) for each in self.cycles(choices)]
        if cost == ENERGY:
            return self.energies(choices)
        pairs = zip(self.of(AREA, choices), self.of(CYCLES, choices), strict=True)
        return [area * cycles for area, cycles in pairs]

    # Area

    def areas(self, machines: Sequence[tuple[Machine, int]]) -> list[float]:
        """Of arrays with accumulators of so many bits: um2, or gates (NAND2) where a library knows
        none.

        Mapped, verified and kept as `sparq area` does it.
        """
        rows = self._area_rows([machine.array(bits) for machine, bits in machines])
        return [
            float(row["gate_equivalents"] if row["area_um2"] is None else row["area_um2"])
            for row in rows
        ]

    def meets_target(self, machine: Machine, acc_bits: int) -> bool:
        """Whether a netlist of the array is as fast as the clock target asks."""
        return bool(self._area_rows([machine.array(acc_bits)])[0]["meets_target"])

    def _area_rows(self, units: Sequence[Unit]) -> list[dict[str, Any]]:
        missing = [unit for unit in dict.fromkeys(units) if unit not in self._areas]
        if missing:
            measured = run_area(
                *(self._library, missing, self._target_ps, self._progress),
                faster=False,
                energy=False,
            )
            self._areas.update(zip(missing, measured["rows"], strict=True))
        return [self._areas[unit] for unit in units]

    @property
    def unit(self) -> str:
        """Of areas, once one is known."""
        row = next(iter(self._areas.values()))
        return "GE" if row["area_um2"] is None else "um2"

    def meaning(self, cost: str) -> str:
        """What the cost of that name is, and in which unit."""
        return MEANINGS[cost].format(unit=self.unit)

    # Cycles

    def cycles(self, choices: Sequence[Choice]) -> list[int]:
        """Of an image, by the model that `sparq compile --report` has; beside its memory."""
        return [sum(found.values()) for found in self.layer_cycles(choices)]

    def layer_cycles(self, choices: Sequence[Choice]) -> list[dict[str, int]]:
        """The same, of each layer."""
        keys = [(choice.machine.timing, choice.windowed) for choice in choices]
        missing = {
            key: choice
            for key, choice in zip(keys, choices, strict=True)
            if key not in self._cycles
        }
        tasks = [
            (choice.machine.shape, choice.numbers.network(choice.windowed))
            for choice in missing.values()
        ]
        if tasks:
            bar = self._progress.add_task("cycles", total=len(tasks))
            found = run_tasks(
                _layer_cycles, tasks, self._scheduler, lambda: self._progress.advance(bar)
            )
            self._cycles.update(zip(missing, found, strict=True))
        return [self._cycles[key] for key in keys]

    # Energy

    def energies(self, choices: Sequence[Choice]) -> list[float]:
        """Of an image, uJ: MACs of layers with weights, in windows or as often as there are planes,
        times the energy of a MAC of the mapped element, glitches included.

        Left out are memories, all that is around the elements, and depthwise sums of the vector
        unit. Planes cost what MACs of the demo network's operands do.
        """
        units = [choice.machine.processing_element(choice.acc_bits) for choice in choices]
        missing = [unit for unit in dict.fromkeys(units) if unit not in self._energies]
        if missing:
            bar = self._progress.add_task("energy", total=len(missing))
            tasks = [(self._library, unit) for unit in missing]
            found = run_tasks(_energy_per_mac, tasks, None, lambda: self._progress.advance(bar))
            self._energies.update(zip(missing, found, strict=True))
        macs = self.macs
        return [
            sum(
                count * (1 if name in choice.windowed else choice.machine.passes)
                for name, count in macs.items()
            )
            * self._energies[unit]
            / FEMTO_PER_MICRO
            for choice, unit in zip(choices, units, strict=True)
        ]

    @property
    def macs(self) -> dict[str, int]:
        """Of each layer that the array multiplies, for an image."""
        found = {}
        for node in self._graph.matrix_nodes:
            layer = node.operation
            assert isinstance(layer, MatrixLayer)
            groups, depth, width = layer.weights.shape
            if groups == 1 or width > 1:
                pixels = prod(self._graph.shapes[node.output][:-1])
                found[node.name] = pixels * groups * depth * width
        return found


def _layer_cycles(shape: AcceleratorShape, network: QuantizedNetwork) -> dict[str, int]:
    rows = layer_report(compile_network(shape, in_stored_order(network)))
    found = {row["layer"]: int(row["cycles"]) for row in rows}
    assert sum(found.values()) == totals(rows)["cycles"]
    return found


def _energy_per_mac(library: str | Path, unit: Unit) -> float:
    """fJ, with glitches."""
    workshop = Workshop(library, FOLDER, (ENERGY_RECIPE,))
    (candidate,) = workshop.candidates(unit)
    operands = demo_operands()
    checked = workshop.check(unit, workshop.with_netlists(candidate), [operands])
    return checked.energy_per_mac[operands.name].with_glitches
