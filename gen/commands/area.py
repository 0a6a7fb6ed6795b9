"""``sparq area``: area, delay and energy of every unit, side by side."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from rich.progress import Progress

from gen.commands.area_report import Row, area_files, area_tables
from gen.commands.terminal import Integer, json_option, print_tables, progress_bar, write_json
from gen.design.configuration import MACHINES, ConfigurationError, check_choice, check_integer
from gen.library.library import Library, load_library
from gen.synthesis.energy import Operands, demo_operands, uniform_operands
from gen.synthesis.measure import Candidate, Checked, Workshop, choose
from gen.synthesis.units import (
    DESIGNS,
    UNITS,
    Unit,
    arrays,
    dot_products,
    encoders,
    processing_elements,
    tensor_cores,
)
from golden import NAMED_FORMATS
from golden.format import GROUPS
from support.files import make_folder, write_if_changed
from support.tasks import run_tasks

FOLDER = Path("build/area")
TARGET_FO4 = 90.0
"""The default clock target, in delays of an inverter that drives four of its kind.

Every processing element meets it in all libraries tried, most by a small netlist.
"""

FASTER = 1.4
ARRAY_SIDES = (4, 8, 16, 64)
SMALLEST = ("radix4", "distributed")
"""Multipliers of which one makes the smallest exact element or dot-product unit."""

SAME = ("unit", "pairs", "rows", "cols", "flat", "target_ps")
"""What rows that are compared have in common."""


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
    (ps) and ``rows``. Raises ``LibraryError``, and ``MismatchError`` if a netlist differs from
    golden.
    """
    workshop = Workshop(library, FOLDER)
    target = target_ps or round(TARGET_FO4 * inverter_fo4(workshop.library))
    operands = [demo_operands(), uniform_operands()] if energy else []
    name = workshop.library.name

    def everywhere(what: str, function: Callable[..., Any], items: Sequence[Any]) -> list[Any]:
        """``function`` of all items, on all cores."""
        task = progress.add_task(f"{name}: {what}", total=len(items))
        jobs = [(library, item) for item in items]
        return run_tasks(function, jobs, on_done=lambda: progress.advance(task))

    # Map everything; large arrays share what the smaller ones have mapped.
    singles = [unit for unit in units if unit.unit not in MACHINES]
    mapped = dict(zip(singles, everywhere("mapping", _map, singles), strict=True))
    machines: dict[Unit, Candidate] = {}
    for side in sorted({unit.rows or 0 for unit in units if unit.unit in MACHINES}):
        group = [unit for unit in units if unit.unit in MACHINES and unit.rows == side]
        jobs = [(unit, target) for unit in group]
        found = everywhere(f"mapping {side}x{side} machines", _best, jobs)
        machines |= zip(group, found, strict=True)

    # Choose, verify and simulate.
    targets = [target]
    if faster and (own_clock := _own_clock(mapped, target)):
        targets += [own_clock, round(own_clock / FASTER)]
    chosen = []
    for target_of_rows in targets:
        families = _families(units if target_of_rows == target else _elements(units))
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
    _add_ratios(rows)
    if netlists is not None:
        _keep(netlists, workshop, chosen)
    return {"library": name, "target": target, "rows": rows}


def _map(library: str | Path, unit: Unit) -> list[Candidate]:
    """All candidates, without their netlists, which are many and large."""
    found = Workshop(library, FOLDER).candidates(unit)
    return [replace(candidate, json="", netlists={}) for candidate in found]


def _best(library: str | Path, item: tuple[Unit, float]) -> Candidate:
    return Workshop(library, FOLDER).best(*item)


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
        families.setdefault(replace(unit, pipeline=None), []).append(unit)
    return list(families.values())


def _smallest(found: Sequence[tuple[Unit, Candidate]], target: float) -> tuple[Unit, Candidate]:
    best = choose([candidate for _, candidate in found], target)
    return next(entry for entry in found if entry[1] is best)


def _own_clock(mapped: Mapping[Unit, Sequence[Candidate]], target: float) -> float | None:
    """The delay of the smallest 8x8 element at the target."""
    found = [
        (unit, choose(candidates, target))
        for unit, candidates in mapped.items()
        if unit.unit == "pe" and unit.design == "8x8" and not unit.pipeline
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
        "pairs": unit.pairs or (None if unit.unit == "encoder" else 1),
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
        "energy_per_mac_fj": checked.energy_per_mac.get("demo network"),
        "uniform_fj": checked.energy_per_mac.get("uniform"),
        "verified_vectors": checked.verified_vectors,
        "proved_equal": checked.proved_equal,
        "label": unit.label,
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
                row["energy_per_mac_ratio"] = _ratio(row, smallest, "energy_per_mac_fj")
                row["uniform_energy_per_mac_ratio"] = _ratio(row, smallest, "uniform_fj")


def _ratio(row: Row, base: Row | None, key: str) -> float | None:
    if base is None or row[key] is None or not base[key]:
        return None
    return round(float(row[key] / base[key]), 4)


def _keep(
    folder: Path, workshop: Workshop, chosen: Sequence[tuple[float, Unit, Candidate]]
) -> None:
    """Write the netlists that were chosen."""
    for target, unit, candidate in chosen:
        name = f"{unit.unit}_{unit.label}_{target:.0f}ps".replace(" ", "_")
        netlists = workshop.with_netlists(candidate).netlists
        write_if_changed(folder / f"{name}.v", "\n".join(netlists.values()))


def select(
    weight_bits: int, acc_bits: int, filters: dict[str, Sequence[Any]], baselines: bool = True
) -> list[Unit]:
    """All units that agree with ``filters`` (field -> values), and the baselines beside them.

    Baselines are exact designs: all machines, and the elements that may be the smallest. Other
    choices than that of a pipeline leave pipelines out.
    """
    everything = [
        *processing_elements(weight_bits, acc_bits),
        *encoders(),
        *dot_products(weight_bits, acc_bits),
        *arrays(weight_bits, acc_bits, ARRAY_SIDES),
        *tensor_cores(weight_bits, acc_bits),
    ]
    wanted = [
        unit
        for unit in everything
        if all(getattr(unit, key) in values for key, values in filters.items())
        and (not filters or "pipeline" in filters or not unit.pipeline)
    ]
    if not wanted:
        asked = ", ".join(f"{key} {value}" for key, values in filters.items() for value in values)
        raise ConfigurationError(
            f"no unit is called {asked}: sparq area --help lists what there is"
        )
    kinds = {(unit.unit, unit.rows, unit.pairs, unit.pipeline) for unit in wanted}
    return [
        unit
        for unit in everything
        if unit in wanted
        or (
            baselines
            and unit.design in ("8x8", "2x8x8")
            and (unit.unit in MACHINES or unit.multiplier in SMALLEST)
            and (unit.unit, unit.rows, unit.pairs, unit.pipeline) in kinds
        )
    ]


def library_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of commands that measure: libraries, and the clock target."""
    options = (
        click.option(
            "--library",
            "libraries",
            multiple=True,
            metavar="NAME",
            help="generic (embedded), osu018 or osu035; may be repeated. [default: generic]",
        ),
        click.option(
            "--liberty",
            "liberties",
            multiple=True,
            type=click.Path(path_type=Path),
            metavar="FILE",
            help="A Liberty file; may be repeated.",
        ),
        click.option(
            "--target-ps",
            type=Integer(),
            metavar="PS",
            help=f"Clock target. [default: {TARGET_FO4:.0f} delays of an inverter driving four]",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def loadable(libraries: Sequence[str], liberties: Sequence[Path]) -> list[str | Path]:
    """The libraries that were asked for, each loaded once to see that it can be.

    Raises ``LibraryError``.
    """
    sources: list[str | Path] = [*libraries, *liberties] or ["generic"]
    make_folder(FOLDER)
    for source in sources:
        load_library(source, FOLDER)
    return sources


def check_target(target_ps: object) -> int | None:
    """The clock target in ps, if one is given. Raises ``ConfigurationError``."""
    return None if target_ps is None else check_integer("target-ps", target_ps, 1)


@click.command()
@click.option(
    "--unit",
    multiple=True,
    metavar="NAME",
    help=f"Only these: {', '.join(UNITS)}. May be repeated.",
)
@click.option("--design", metavar="NAME", help=f"Only these: {', '.join(DESIGNS)}.")
@click.option("--multiplier", metavar="NAME", help="Only these, of exact designs.")
@click.option("--format", metavar="NAME", help=f"Only these: {', '.join(NAMED_FORMATS)}.")
@click.option("--rounding/--no-rounding", default=None, help="Only these, of SPARQ designs.")
@click.option("--vsparq/--no-vsparq", default=None, help="Only these, of SPARQ designs.")
@click.option(
    "--group",
    type=Integer(),
    metavar="N",
    help=f"Only these, of SPARQ designs: {', '.join(map(str, GROUPS))}.",
)
@click.option("--pairs", type=Integer(), metavar="N", help="Only these, of dot-product units.")
@click.option(
    "--pipeline",
    type=Integer(),
    metavar="N",
    help="Only these: 0 to 2. [default: 0 with other choices]",
)
@click.option("--weight-bits", type=Integer(), default=8, show_default=True, metavar="N")
@click.option("--acc-bits", type=Integer(), default=32, show_default=True, metavar="N")
@library_options
@click.option("--keep-netlists", is_flag=True, help="Write the mapped Verilog of all rows.")
@json_option
def area(
    libraries: tuple[str, ...],
    liberties: tuple[Path, ...],
    target_ps: object,
    weight_bits: Any,
    acc_bits: Any,
    keep_netlists: bool,
    json_file: Path | None,
    **filters: Any,
) -> None:
    """Map every unit onto a standard-cell library; report area, delay and energy.

    Each netlist is simulated against golden before its area is printed. Tables, CSV, JSON and plots
    go to build/area; what was measured before is not measured again. A full run chooses processing
    elements at two faster clocks as well, and the best of their pipelines at each.

    The three machines beside each other: --unit array --unit tensor_core --unit sparse_tensor_core.
    """
    chosen = {
        name: value if name == "unit" else (value,)
        for name, value in filters.items()
        if value not in (None, ())
    }
    target = check_target(target_ps)
    check_integer("weight-bits", weight_bits, 2, 8)
    check_integer("acc-bits", acc_bits, weight_bits + 9, 63)
    names = {"unit": UNITS, "design": DESIGNS, "format": tuple(NAMED_FORMATS)}
    for name, allowed in names.items():
        for value in chosen.get(name, ()):
            check_choice(name, value, allowed)
    units = select(weight_bits, acc_bits, chosen)
    sources = loadable(libraries, liberties)
    results = []
    with progress_bar() as progress:
        for source in sources:
            netlists = FOLDER / "netlists" if keep_netlists else None
            result = run_area(source, units, target, progress, faster=not chosen, netlists=netlists)
            results.append(result)
            for path, text in area_files(result, FOLDER).items():
                write_if_changed(path, text)
    for result in results:
        print_tables(*area_tables(result))
    click.echo("Energy: switching, without leakage and glitches, on the demo network's operands.")
    write_json(json_file, results[0] if len(results) == 1 else results)
