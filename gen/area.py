"""``sparq area``: area, delay and energy of every unit, side by side."""

import csv
import io
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import numpy as np
from joblib import Parallel, delayed
from matplotlib import pyplot
from rich.progress import Progress

from gen.configuration import MACHINES, ConfigurationError, check_choice, check_integer
from gen.files import make_folder, write_if_changed
from gen.synthesis.energy import Operands, demo_operands, uniform_operands
from gen.synthesis.library import Library, load_library
from gen.synthesis.measure import Candidate, Checked, Workshop
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
from gen.terminal import Integer, json_option, print_tables, progress_bar, table, write_json
from golden import NAMED_FORMATS
from golden.format import GROUPS

FOLDER = Path("build/area")
TARGET_FO4 = 68.0
"""The default clock target, in delays of an inverter that drives four of its kind."""

FASTER = 1.4
ARRAY_SIDES = (4, 8, 16, 64)
COLUMNS = (
    *("unit", "design", "multiplier", "format", "rounding", "vsparq", "group", "pairs"),
    *("weight_bits", "acc_bits", "pipeline", "rows", "cols", "flat", "target_ps", "meets_target"),
    *("recipe", "cells", "flip_flops", "area", "area_um2", "gate_equivalents", "delay_ps"),
    *("limited_by", "macs_per_cycle", "area_per_mac", "ratio_to_8x8", "ratio_to_2x8x8"),
    *("area_delay_per_mac", "energy_per_mac_fj", "energy_per_mac_ratio"),
    *("uniform_energy_per_mac_ratio", "verified_vectors"),
)
Row = dict[str, Any]
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
    netlists: Path | None = None,
) -> dict[str, Any]:
    """Measure ``units`` with a library; the smallest of all pipelines and recipes at each target.

    The target is ``target_ps`` (or :data:`TARGET_FO4`). With ``faster``, processing elements are
    also chosen at the delay of the 8x8 element that is chosen there, and at a clock faster than
    that by :data:`FASTER`. Returns ``library``, ``target`` (ps) and ``rows``. Raises
    ``LibraryError``, and ``MismatchError`` if a netlist differs from golden.
    """
    workshop = Workshop(library, FOLDER)
    target = target_ps or round(TARGET_FO4 * inverter_fo4(workshop.library))
    operands = [demo_operands(), uniform_operands()]
    name = workshop.library.name

    def everywhere(what: str, function: Callable[..., Any], items: Sequence[Any]) -> list[Any]:
        """``function`` of all items, on all cores."""
        task = progress.add_task(f"{name}: {what}", total=len(items))
        jobs = (delayed(function)(library, item) for item in items)
        results = []
        for result in Parallel(n_jobs=os.cpu_count(), return_as="generator")(jobs):
            progress.advance(task)
            results.append(result)
        return results

    # Map everything; large arrays share what the smaller ones have mapped.
    singles = [unit for unit in units if unit.unit not in MACHINES]
    everywhere("mapping", _map, singles)
    sides = sorted({unit.rows or 0 for unit in units if unit.unit in MACHINES})
    for side in sides:
        group = [(unit, target) for unit in units if unit.unit in MACHINES and unit.rows == side]
        everywhere(f"mapping {side}x{side} machines", _best, group)

    # Choose, verify and simulate.
    targets = [target]
    if faster and (own_clock := _own_clock(workshop, singles, target)):
        targets += [own_clock, round(own_clock / FASTER)]
    chosen = []
    for target_of_rows in targets:
        families = _families(units if target_of_rows == target else _elements(units))
        for family in families:
            found = [(unit, workshop.best(unit, target_of_rows)) for unit in family]
            unit, candidate = _smallest(found, target_of_rows)
            chosen.append((target_of_rows, unit, candidate))
    checked = everywhere(
        "verification and energy", _check, [(*entry[1:], operands) for entry in chosen]
    )
    rows = [
        _row(workshop.library, *entry, check) for entry, check in zip(chosen, checked, strict=True)
    ]
    _add_ratios(rows)
    if netlists is not None:
        _keep(netlists, chosen)
    return {"library": name, "target": target, "rows": rows}


def _map(library: str | Path, unit: Unit) -> None:
    Workshop(library, FOLDER).candidates(unit)


def _best(library: str | Path, item: tuple[Unit, float]) -> None:
    Workshop(library, FOLDER).best(*item)


def _check(library: str | Path, item: tuple[Unit, Candidate, Sequence[Operands]]) -> Checked:
    return Workshop(library, FOLDER).check(*item)


def _elements(units: Sequence[Unit]) -> list[Unit]:
    return [unit for unit in units if unit.unit == "pe"]


def _families(units: Sequence[Unit]) -> list[list[Unit]]:
    """Units that differ in their pipelines alone."""
    families: dict[Unit, list[Unit]] = {}
    for unit in units:
        families.setdefault(replace(unit, pipeline=None), []).append(unit)
    return list(families.values())


def _smallest(found: Sequence[tuple[Unit, Candidate]], target: float) -> tuple[Unit, Candidate]:
    fitting = [entry for entry in found if entry[1].delay_ps <= target]
    if fitting:
        return min(fitting, key=lambda entry: entry[1].area)
    return min(found, key=lambda entry: entry[1].delay_ps)


def _own_clock(workshop: Workshop, units: Sequence[Unit], target: float) -> float | None:
    """The delay of the smallest 8x8 element at the target."""
    baseline = [unit for unit in _elements(units) if unit.design == "8x8" and not unit.pipeline]
    if not baseline:
        return None
    return _smallest([(u, workshop.best(u, target)) for u in baseline], target)[1].delay_ps


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


def _keep(folder: Path, chosen: Sequence[tuple[float, Unit, Candidate]]) -> None:
    """Write the netlists that were chosen."""
    for target, unit, candidate in chosen:
        name = f"{unit.unit}_{unit.label}_{target:.0f}ps".replace(" ", "_")
        write_if_changed(folder / f"{name}.v", "\n".join(candidate.netlists.values()))


def select(
    weight_bits: int, acc_bits: int, filters: dict[str, Any], baselines: bool = True
) -> list[Unit]:
    """All units that agree with ``filters`` (field -> value), and the baselines beside them."""
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
        if all(getattr(unit, key) == value for key, value in filters.items())
    ]
    if not wanted:
        asked = ", ".join(f"{key} {value}" for key, value in filters.items())
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
            and (unit.unit, unit.rows, unit.pairs, unit.pipeline) in kinds
        )
    ]


@click.command()
@click.option("--unit", metavar="NAME", help=f"Only these: {', '.join(UNITS)}.")
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
@click.option("--pipeline", type=Integer(), metavar="N", help="Only these: 0 to 2.")
@click.option("--weight-bits", type=Integer(), default=8, show_default=True, metavar="N")
@click.option("--acc-bits", type=Integer(), default=32, show_default=True, metavar="N")
@click.option(
    "--library",
    "libraries",
    multiple=True,
    metavar="NAME",
    help="generic (embedded), osu018 or osu035; may be repeated. [default: generic]",
)
@click.option(
    "--liberty",
    "liberties",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A Liberty file; may be repeated.",
)
@click.option(
    "--target-ps",
    type=Integer(),
    metavar="PS",
    help=f"Clock target. [default: {TARGET_FO4:.0f} fanout-of-four inverters of the library]",
)
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
    """
    chosen = {name: value for name, value in filters.items() if value is not None}
    if target_ps is not None:
        check_integer("target-ps", target_ps, 1)
    check_integer("weight-bits", weight_bits, 2, 8)
    check_integer("acc-bits", acc_bits, weight_bits + 9, 63)
    names = {"unit": UNITS, "design": DESIGNS, "format": tuple(NAMED_FORMATS)}
    for name, allowed in names.items():
        if name in chosen:
            check_choice(name, chosen[name], allowed)
    units = select(weight_bits, acc_bits, chosen)
    sources: list[str | Path] = [*libraries, *liberties] or ["generic"]
    make_folder(FOLDER)
    for source in sources:
        load_library(source, FOLDER)
    results = []
    with progress_bar() as progress:
        for source in sources:
            netlists = FOLDER / "netlists" if keep_netlists else None
            target: Any = target_ps
            result = run_area(source, units, target, progress, not chosen, netlists)
            results.append(result)
            _write(result)
    for result in results:
        _print(result)
    write_json(json_file, results[0] if len(results) == 1 else results)


HEADINGS = (
    *("design", "cells", "FF", "GE", "um2", "delay ps", "MAC/cycle", "area/MAC", "to 8x8"),
    *("to 2x8x8", "area x delay", "energy to 8x8", "uniform", "vectors"),
)
KEYS = (
    *("label", "cells", "flip_flops", "gate_equivalents", "area_um2", "delay_ps"),
    *("macs_per_cycle", "area_per_mac", "ratio_to_8x8", "ratio_to_2x8x8", "area_delay_per_mac"),
    *("energy_per_mac_ratio", "uniform_energy_per_mac_ratio", "verified_vectors"),
)
DIGITS = {"gate_equivalents": 0, "area_um2": 0, "delay_ps": 0, "area_per_mac": 0}
DIGITS |= {"area_delay_per_mac": 0}


def _tables(result: dict[str, Any]) -> list[tuple[str, list[Row]]]:
    """Title and rows of each table: one for each kind of unit and target."""
    tables: dict[str, list[Row]] = {}
    for row in result["rows"]:
        size = f" {row['rows']}x{row['cols']}" if row["rows"] else ""
        if row["unit"] == "dot_product":
            size = f" of {row['pairs']} pairs"
        title = f"{row['unit']}{size}, {result['library']}, at most {row['target_ps']:.0f} ps"
        tables.setdefault(title, []).append(row)
    return list(tables.items())


def _text(row: Row, key: str) -> str:
    value = row[key]
    if value is None:
        return "-"
    if key == "delay_ps" and not row["meets_target"]:
        return f"{value:.0f} (misses)"
    if isinstance(value, float):
        return f"{value:.{DIGITS.get(key, 3)}f}"
    return str(value)


def _print(result: dict[str, Any]) -> None:
    tables = []
    for title, rows in _tables(result):
        printed = table(title, *HEADINGS)
        for row in rows:
            printed.add_row(*(_text(row, key) for key in KEYS))
        tables.append(printed)
    print_tables(*tables)
    click.echo("Energy: switching, without leakage and glitches, on the demo network's operands.")


def _write(result: dict[str, Any]) -> None:
    """The result as JSON, CSV, Markdown and plots."""
    stem = FOLDER / result["library"]
    write_if_changed(stem.with_suffix(".json"), json.dumps(result, indent=2) + "\n")
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(result["rows"])
    write_if_changed(stem.with_suffix(".csv"), text.getvalue())
    lines = []
    for title, rows in _tables(result):
        lines += [f"## {title}", "", f"| {' | '.join(HEADINGS)} |", "|---" * len(HEADINGS) + "|"]
        lines += [f"| {' | '.join(_text(row, key) for key in KEYS)} |" for row in rows]
        lines.append("")
    write_if_changed(stem.with_suffix(".md"), "\n".join(lines))
    _plot(result, stem)


def _plot(result: dict[str, Any], stem: Path) -> None:
    """Bars of area per MAC, and area against energy, of processing elements."""
    rows = [
        row
        for row in result["rows"]
        if row["unit"] == "pe" and row["target_ps"] == result["target"] and row["ratio_to_8x8"]
    ]
    if not rows:
        return
    with pyplot.rc_context({"svg.hashsalt": "sparq", "svg.fonttype": "none"}):
        figure, axes = pyplot.subplots(figsize=(8, 0.3 * len(rows) + 1))
        places = np.arange(len(rows))
        axes.barh(places, [row["ratio_to_8x8"] for row in rows])
        axes.set_yticks(places, [row["label"] for row in rows])
        axes.invert_yaxis()
        axes.set_xlabel("area per MAC, relative to the smallest 8x8 element")
        _save(figure, stem.with_name(f"{stem.name}_bars.svg"))
        figure, axes = pyplot.subplots(figsize=(7, 5))
        for row in rows:
            if row["energy_per_mac_ratio"]:
                point = (row["ratio_to_8x8"], row["energy_per_mac_ratio"])
                axes.scatter(*point, s=12, color="C0")
                axes.annotate(row["label"], point, fontsize=6)
        axes.set_xlabel("area per MAC, relative to 8x8")
        axes.set_ylabel("energy per MAC, relative to 8x8")
        _save(figure, stem.with_name(f"{stem.name}_scatter.svg"))


def _save(figure: Any, path: Path) -> None:
    stream = io.StringIO()
    figure.tight_layout()
    figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    pyplot.close(figure)
    write_if_changed(path, stream.getvalue())
