"""The area table: every unit mapped, chosen at each clock target, verified and compared."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.progress import Progress

from gen.design.configuration import AROUND, MACHINES
from gen.library.library import Library
from gen.synthesis.area_report import Row
from gen.synthesis.energy import Energy, Operands, demo_operands, signed_operands, uniform_operands
from gen.synthesis.mapped import Candidate, choose
from gen.synthesis.measure import Checked, Workshop
from gen.synthesis.systems import SystemPart, system_parts, system_rows
from gen.synthesis.units import Unit
from support.files import write_if_changed
from support.tasks import run_tasks

FOLDER = Path("build/area")
TARGET_FO4 = 90.0
"""The default clock target, in delays of an inverter that drives four of its kind.

Every processing element meets it in all libraries tried, most by a small netlist.
"""

FASTER = 1.4
ENERGIES = tuple(
    f"{prefix}{kind}energy_per_mac"
    for prefix in ("", "uniform_", "signed_")
    for kind in ("", "glitch_")
)
"""Of all sets of operands, without glitches and with them."""

SAME = ("unit", "pairs", "rows", "cols", "flat", "multiplies", "target_ps")
"""What rows that are compared have in common."""


def run_area(
    library: str | Path,
    units: Sequence[Unit],
    target_ps: float | None,
    progress: Progress,
    faster: bool = True,
    energy: bool = True,
    netlists: Path | None = None,
) -> dict[str, Any]:
    """Measure ``units`` with a library; the smallest of all pipelines and recipes at each target.

    The target is ``target_ps`` (or :data:`TARGET_FO4`). With ``faster``, processing elements are
    also chosen at the delay of the 8x8 element that is chosen there, and at a clock faster than
    that by :data:`FASTER`; without ``energy``, none is measured. Returns ``library``, ``target``
    (ps), ``rows``, and ``failed_recipes``: unit -> recipes that were no choice because ABC failed,
    which is also printed. Raises ``LibraryError``, ``MappingError``, and ``MismatchError`` if a
    netlist differs from golden.
    """
    workshop = Workshop(library, FOLDER)
    target = target_ps or round(TARGET_FO4 * inverter_fo4(workshop.library))
    operands = [demo_operands(), uniform_operands(), signed_operands()] if energy else []
    name = workshop.library.name

    def everywhere(what: str, function: Callable[..., Any], items: Sequence[Any]) -> list[Any]:
        """``function`` of all items, on all cores."""
        task = progress.add_task(f"{name}: {what}", total=len(items))
        jobs = [(library, item) for item in items]
        return run_tasks(function, jobs, on_done=lambda: progress.advance(task))

    # Map everything; large arrays share what the smaller ones have mapped.
    systems = [unit for unit in units if unit.unit in AROUND]
    singles = [unit for unit in units if unit.unit not in (*MACHINES, *AROUND)]
    mapped = dict(zip(singles, everywhere("mapping", _map, singles), strict=True))
    machines: dict[Unit, Candidate] = {}
    for side in sorted({unit.rows or 0 for unit in units if unit.unit in MACHINES}):
        group = [unit for unit in units if unit.unit in MACHINES and unit.rows == side]
        jobs = [(unit, target) for unit in group]
        found = everywhere(f"mapping {side}x{side} machines", _best, jobs)
        machines |= zip(group, found, strict=True)

    failed = {
        f"{unit.unit} {unit.label}": list(candidate.failed_recipes)
        for unit, candidate in [
            *((one, found[0]) for one, found in mapped.items()),
            *machines.items(),
        ]
        if candidate.failed_recipes
    }

    # Choose, verify and simulate.
    targets = [target]
    if faster and (own_clock := _own_clock(mapped, target)):
        targets += [own_clock, round(own_clock / FASTER)]
    chosen = []
    for target_of_rows in targets:
        others = [unit for unit in units if unit not in systems]
        families = _families(others if target_of_rows == target else _elements(units))
        for family in families:
            choices = [
                (unit, machines.get(unit) or choose(mapped[unit], target_of_rows))
                for unit in family
            ]
            chosen.append((target_of_rows, *_smallest(choices, target_of_rows)))
    # What is chosen at several targets is verified once.
    distinct = {
        (unit, candidate.recipe): (unit, candidate, operands) for _, unit, candidate in chosen
    }
    results = everywhere("verification and energy", _check, list(distinct.values()))
    checked = dict(zip(distinct, results, strict=True))
    rows = [
        _row(workshop.library, target_of_row, unit, candidate, checked[unit, candidate.recipe])
        for target_of_row, unit, candidate in chosen
    ]
    # Engines and accelerators consist of parts, which are rows as well.
    jobs = [(unit, target) for unit in systems]
    found_parts = everywhere("engines and accelerators", _system, jobs)
    for unit, parts in zip(systems, found_parts, strict=True):
        nand2_area, um2 = workshop.library.nand2_area, workshop.library.um2_per_area
        rows += system_rows(unit, parts, target, nand2_area, um2)
        failed |= {
            f"{unit.unit} {unit.label}: {part.name}": list(part.failed_recipes)
            for part in parts
            if part.failed_recipes
        }
    for label, recipes in failed.items():
        progress.console.print(f"{name}: ABC failed on {label} by {', '.join(recipes)}")
    _add_ratios(rows)
    if netlists is not None:
        _keep(netlists, workshop, chosen)
    return {"library": name, "target": target, "rows": rows, "failed_recipes": failed}


def _map(library: str | Path, unit: Unit) -> list[Candidate]:
    """All candidates, without their netlists, which are many and large."""
    found = Workshop(library, FOLDER).candidates(unit)
    return [replace(candidate, json="", netlists={}) for candidate in found]


def _best(library: str | Path, item: tuple[Unit, float]) -> Candidate:
    return Workshop(library, FOLDER).best(*item)


def _system(library: str | Path, item: tuple[Unit, float]) -> list[SystemPart]:
    return system_parts(Workshop(library, FOLDER), *item)


def _check(library: str | Path, item: tuple[Unit, Candidate, Sequence[Operands]]) -> Checked:
    unit, candidate, operands = item
    workshop = Workshop(library, FOLDER)
    return workshop.check(unit, workshop.with_netlists(candidate), operands)


def _elements(units: Sequence[Unit]) -> list[Unit]:
    return [unit for unit in units if unit.unit == "pe"]


def _families(units: Sequence[Unit]) -> list[list[Unit]]:
    """Units that differ in their pipelines alone."""
    families: dict[Unit, list[Unit]] = {}
    for unit in units:
        families.setdefault(unit.family, []).append(unit)
    return list(families.values())


def _smallest(found: Sequence[tuple[Unit, Candidate]], target: float) -> tuple[Unit, Candidate]:
    best = choose([candidate for _, candidate in found], target)
    return next(entry for entry in found if entry[1] is best)


def _own_clock(mapped: Mapping[Unit, Sequence[Candidate]], target: float) -> float | None:
    """The delay of the smallest 8x8 element at the target."""
    found = [
        (unit, choose(candidates, target))
        for unit, candidates in mapped.items()
        if unit.unit == "pe" and unit.element.kind == "8x8" and not unit.element.pipeline
    ]
    return _smallest(found, target)[1].delay_ps if found else None


def _row(
    library: Library, target: float, unit: Unit, candidate: Candidate, checked: Checked
) -> Row:
    macs = unit.macs_per_cycle
    um2 = library.um2_per_area
    per_mac = None if macs is None else candidate.area / macs
    return {
        **unit.fields,
        "pairs": unit.mac and (unit.mac.pairs or 1),
        "target_ps": target,
        "meets_target": candidate.delay_ps <= target,
        "recipe": candidate.recipe,
        "cells": candidate.cells,
        "flip_flops": candidate.flip_flops,
        "area": round(candidate.area, 2),
        "area_um2": None if um2 is None else round(candidate.area * um2, 1),
        "gate_equivalents": round(candidate.area / library.nand2_area, 1),
        "delay_ps": candidate.delay_ps,
        "limited_by": candidate.limited_by,
        "macs_per_cycle": macs,
        "area_per_mac": None if per_mac is None else round(per_mac, 2),
        "area_delay_per_mac": None
        if per_mac is None
        else round(per_mac * candidate.delay_ps / 1000, 1),
        **_energies("", checked.energy_per_mac.get("demo network")),
        **_energies("uniform_", checked.energy_per_mac.get("uniform")),
        **_energies("signed_", checked.energy_per_mac.get("signed")),
        "verified_vectors": checked.verified_vectors,
        "proved_equal": checked.proved_equal,
        "label": unit.label,
    }


def _energies(prefix: str, energy: Energy | None) -> Row:
    settled, glitches, error = energy or (None, None, None)
    return {
        f"{prefix}energy_per_mac_fj": settled,
        f"{prefix}glitch_energy_per_mac_fj": glitches,
        f"{prefix}glitch_energy_per_mac_error_fj": error,
    }


def _add_ratios(rows: list[Row]) -> None:
    """Ratios to the smallest exact designs of the same kind of unit, size and target."""
    for row in rows:
        alike = [
            other
            for other in rows
            if all(row[key] == other[key] for key in SAME) and other["area_per_mac"] is not None
        ]
        for design in ("8x8", "2x8x8"):
            found = [other for other in alike if other["design"] == design]
            smallest = min(found, key=lambda other: other["area_per_mac"], default=None)
            row[f"ratio_to_{design}"] = _ratio(row, smallest, "area_per_mac")
            if design == "8x8":
                for name in ENERGIES:
                    row[f"{name}_ratio"] = _ratio(row, smallest, f"{name}_fj")


def _ratio(row: Row, base: Row | None, key: str) -> float | None:
    if base is None or row.get(key) is None or not base.get(key):
        return None
    return round(float(row[key] / base[key]), 4)


def _keep(
    folder: Path, workshop: Workshop, chosen: Sequence[tuple[float, Unit, Candidate]]
) -> None:
    """Write the netlists that were chosen, and their constraints beside them."""
    for target, unit, candidate in chosen:
        name = f"{unit.slug}_{target:.0f}ps"
        write_if_changed(folder / f"{name}.v", workshop.netlist(unit, candidate, name))
        sdc = workshop.constraints(unit, target)
        write_if_changed(folder / f"{name}.sdc", sdc)


def inverter_fo4(library: Library) -> float:
    """Delay in ps of the smallest inverter of ``library`` that drives four of its kind.

    The mean of rise and fall, at the slew that such an inverter itself makes.
    """
    inverters = [
        cell
        for cell in library.cells.values()
        if len(cell.inputs) == len(cell.outputs) == 1
        and cell.flip_flop is None
        and cell.arcs
        and cell.arcs[0].sense == "negative_unate"
    ]
    inverter = min(inverters, key=lambda cell: (cell.area, cell.name))
    arc, load = inverter.arcs[0], 4 * inverter.pins[inverter.inputs[0]].capacitance
    slew = 0.0
    for _ in range(5):
        slew = (arc.rise_transition.at(load, slew) + arc.fall_transition.at(load, slew)) / 2
    return (arc.cell_rise.at(load, slew) + arc.cell_fall.at(load, slew)) / 2
