"""What ``sparq area`` measured, as tables, files and plots."""

import csv
import io
import json
from pathlib import Path
from typing import Any

from gen.design.configuration import MACHINES
from gen.synthesis.systems import WHOLE
from golden import NamedFormat
from support.plots import new_figure, svg_text
from support.text import Grid, markdown

COLUMNS = (
    *("unit", "design", "multiplier", "format", "rounding", "vsparq", "group", "pairs"),
    *("weight_bits", "acc_bits", "pipeline", "rows", "cols", "flat", "target_ps", "meets_target"),
    *("recipe", "cells", "flip_flops", "area", "area_um2", "gate_equivalents", "delay_ps"),
    *("limited_by", "macs_per_cycle", "area_per_mac", "ratio_to_8x8", "ratio_to_2x8x8"),
    *("area_delay_per_mac", "energy_per_mac_fj", "energy_per_mac_ratio"),
    *("glitch_energy_per_mac_fj", "glitch_energy_per_mac_error_fj", "glitch_energy_per_mac_ratio"),
    *("uniform_energy_per_mac_fj", "uniform_energy_per_mac_ratio"),
    *("uniform_glitch_energy_per_mac_fj", "uniform_glitch_energy_per_mac_error_fj"),
    *("uniform_glitch_energy_per_mac_ratio", "signed_energy_per_mac_fj"),
    *("signed_energy_per_mac_ratio", "signed_glitch_energy_per_mac_fj"),
    *("signed_glitch_energy_per_mac_error_fj", "signed_glitch_energy_per_mac_ratio"),
    *("verified_vectors", "proved_equal"),
    *("part", "count", "memory_bits", "share", "multiplies"),
)
PATH = "slowest path"
SHOWN = {
    "design": "label",
    "cells": "cells",
    "count": "count",
    "FF": "flip_flops",
    "memory bits": "memory_bits",
    "GE": "gate_equivalents",
    "um2": "area_um2",
    "share": "share",
    "delay ps": "delay_ps",
    "MAC/cycle": "macs_per_cycle",
    "area/MAC": "area_per_mac",
    "to 8x8": "ratio_to_8x8",
    "to 2x8x8": "ratio_to_2x8x8",
    "area x delay": "area_delay_per_mac",
    "energy to 8x8": "energy_per_mac_ratio",
    "with glitches": "glitch_energy_per_mac_ratio",
    "uniform": "uniform_energy_per_mac_ratio",
    "uniform, glitches": "uniform_glitch_energy_per_mac_ratio",
    "signed": "signed_energy_per_mac_ratio",
    "signed, glitches": "signed_glitch_energy_per_mac_ratio",
    "vectors": "verified_vectors",
    "proved": "proved_equal",
    PATH: "limited_by",
}
"""Columns that are printed: heading -> key of a row."""

ROUNDED = ("gate_equivalents", "area_um2", "delay_ps", "area_per_mac", "area_delay_per_mac")
"""Keys whose values are printed without decimals."""

Row = dict[str, Any]


def area_files(result: dict[str, Any], folder: Path) -> dict[Path, str]:
    """JSON, CSV, Markdown and plots, of what ``run_area`` returned: path -> text."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(result["rows"])
    texts = {
        ".json": json.dumps(result, indent=2) + "\n",
        ".csv": text.getvalue(),
        ".md": "\n".join(markdown(*grid) for grid in area_grids(result)),
        **_plots(result),
    }
    return {folder / f"{result['library']}{suffix}": text for suffix, text in texts.items()}


def area_grids(result: dict[str, Any]) -> list[Grid]:
    """One table for each kind of unit and target; then all machines beside each other."""
    kinds: dict[str, list[Row]] = {}
    for row in result["rows"]:
        title = f"{_kind(row)}, {result['library']}, at most {row['target_ps']:.0f} ps"
        kinds.setdefault(title, []).append(row)
    grids = []
    for title, rows in kinds.items():
        shown = {
            heading: key
            for heading, key in SHOWN.items()
            if any(row.get(key) is not None for row in rows)
        }
        texts = [[_text(row, key) for key in shown.values()] for row in rows]
        grids.append((title, list(shown), texts))
    machines = [row for row in result["rows"] if row["unit"] in MACHINES and not row["flat"]]
    return [*grids, _machines(result["library"], machines)] if machines else grids


def _kind(row: Row) -> str:
    """What is measured, and its size."""
    if row["unit"] == "dot_product":
        return f"dot_product of {row['pairs']} pair{'s' if row['pairs'] > 1 else ''}"
    if row.get("part") not in (None, WHOLE):
        return f"parts of {row['unit']} {row['rows']}x{row['cols']} {_design(row)}"
    kind = f"{row['unit']} {row['rows']}x{row['cols']}" if row["rows"] else str(row["unit"])
    return f"{kind} flat" if row["flat"] else kind


def _machines(library: str, rows: list[Row]) -> Grid:
    """Area per MAC of each design in each machine, relative to the smallest exact ones there."""
    kinds = list(dict.fromkeys(_kind(row) for row in rows))
    smallest: dict[str, dict[str, Row]] = {}
    for row in rows:
        found = smallest.setdefault(_design(row), {})
        best = found.get(_kind(row), row)
        found[_kind(row)] = min(best, row, key=lambda each: float(each["area_per_mac"]))
    texts = [
        [
            design,
            *(
                f"{_text(found[kind], 'ratio_to_8x8')} ({_text(found[kind], 'ratio_to_2x8x8')})"
                if kind in found
                else "-"
                for kind in kinds
            ),
        ]
        for design, found in smallest.items()
    ]
    title = f"All machines, {library}: area per MAC relative to 8x8 (to 2x8x8)"
    return title, ["design", *kinds], texts


def _design(row: Row) -> str:
    """A design without its multiplier and its size."""
    lanes = ", no vector multipliers" if row.get("multiplies") is False else ""
    if row["design"] != "sparq":
        return f"{row['design']}{lanes}"
    return NamedFormat(row["format"], vsparq=row["vsparq"], group=row["group"]).label + lanes


def _text(row: Row, key: str) -> str:
    value = row.get(key)
    if value is None:
        return "-"
    if key == "delay_ps" and not row["meets_target"]:
        return f"{value:.0f} (misses)"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.{0 if key in ROUNDED else 3}f}"
    return str(value)


def _plots(result: dict[str, Any]) -> dict[str, str]:
    """Bars of area per MAC, and area against energy, of processing elements at the target."""
    rows = [
        row
        for row in result["rows"]
        if row["unit"] == "pe" and row["target_ps"] == result["target"] and row["ratio_to_8x8"]
    ]
    if not rows:
        return {}
    bars = new_figure(8, 0.3 * len(rows) + 1)
    axes = bars.subplots()
    axes.barh(range(len(rows)), [row["ratio_to_8x8"] for row in rows])
    axes.set_yticks(range(len(rows)), [row["label"] for row in rows])
    axes.invert_yaxis()
    axes.set_xlabel("area per MAC, relative to the smallest 8x8 element")
    scatter = new_figure(7, 5)
    axes = scatter.subplots()
    for row in rows:
        if row["energy_per_mac_ratio"]:
            point = (row["ratio_to_8x8"], row["energy_per_mac_ratio"])
            axes.scatter(*point, s=12, color="C0")
            axes.annotate(row["label"], point, fontsize=6)
    axes.set_xlabel("area per MAC, relative to 8x8")
    axes.set_ylabel("energy per MAC, relative to 8x8")
    return {"_bars.svg": svg_text(bars), "_scatter.svg": svg_text(scatter)}
