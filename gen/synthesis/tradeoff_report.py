"""Accuracy beside area, as tables, files and a plot."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gen.synthesis.area_report import Row
from gen.synthesis.tradeoff import FRONTS
from golden import NAMED_FORMATS
from support.plots import new_figure, svg_text
from support.text import Grid, csv_text, markdown

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

WEIGHT_BITS = (4, 5, 6, 7, 8)
COLUMNS = {
    "design": "label",
    "weights": "weight_bits",
    "bits/activation": "bits_per_activation",
    "delay ps": "delay_ps",
    "area/MAC": "area_per_mac",
    "to 8x8": "ratio_to_8x8",
    "to same width": "ratio_to_same_width",
    "to 2x8x8": "ratio_to_2x8x8",
    "top-1 %": "top1",
    "±": "standard_error",
    "SQNR dB": "sqnr_mean_db",
    "lowest": "sqnr_lowest_db",
    "front": "front",
}
DIGITS = {"delay_ps": 0, "area_per_mac": 0, "bits_per_activation": 3}
DIGITS |= {f"ratio_to_{base}": 3 for base in ("8x8", "same_width", "2x8x8")}


def tradeoff_grids(result: Row) -> list[Grid]:
    """Title, headings and rows of each table: one for each weight width, and the fronts."""
    where = f"{result['library']}, at most {result['target_ps']:.0f} ps"
    tables: dict[str, list[Row]] = {}
    for row in result["rows"]:
        tables.setdefault(f"{row['weight_bits']}-bit weights, {where}", []).append(row)
    best = [row for row in result["rows"] if row["front"]]
    tables[f"On a Pareto front, {where}"] = sorted(best, key=lambda row: row["ratio_to_8x8"])
    return [
        (title, list(COLUMNS), [[_text(row, key) for key in COLUMNS.values()] for row in rows])
        for title, rows in tables.items()
    ]


def _text(row: Row, key: str) -> str:
    value = row[key]
    if key == "delay_ps" and not row["meets_target"]:
        return f"{value:.0f} (misses)"
    if isinstance(value, float):
        text = f"{value:.{DIGITS.get(key, 2)}f}"
        return text.rstrip("0").rstrip(".") if key == "bits_per_activation" else text
    return str(value)


def tradeoff_files(result: Row, folder: Path) -> dict[Path, str]:
    """JSON, CSV, Markdown and plot of a result: path -> text."""
    texts = {
        "json": json.dumps(result, indent=2) + "\n",
        "csv": csv_text(result["rows"]),
        "md": "\n".join(markdown(*grid) for grid in tradeoff_grids(result)),
        "svg": svg_text(_figure(result)),
    }
    stem = f"tradeoff_{result['library']}"
    return {folder / f"{stem}.{suffix}": text for suffix, text in texts.items()}


MARKERS = dict(zip(WEIGHT_BITS, "v<o>^", strict=True))
COLOURS = {name: f"C{index}" for index, name in enumerate(NAMED_FORMATS)}
COLOURS |= {"8x8": "black", "2x8x8": "dimgrey", "2x4x8": "darkgrey"}
OTHER_COLOUR = "C9"
"""Of formats that are not the paper's."""
AXES = {
    "accuracy": "top-1 accuracy on {images} images, %",
    "SQNR": "mean SQNR of windowed layers, dB",
}


def _figure(result: Row) -> Figure:
    figure = new_figure(15, 7)
    panels = figure.subplots(1, 2)
    for axes, (name, gain) in zip(panels, FRONTS.items(), strict=True):
        _draw(axes, result["rows"], name, gain)
        axes.set_xlabel("area per MAC, relative to the smallest 8x8 element of 8-bit weights")
        axes.set_ylabel(AXES[name].format(**result))
    panels[0].axhline(result["fp32_top1"], color="grey", linewidth=0.8, linestyle=":")
    figure.suptitle(f"{result['model']} on elements of {result['library']}")
    figure.legend(handles=_legend(result["rows"]), loc="outside right upper", fontsize=8)
    return figure


def _colour(row: Row) -> str:
    return COLOURS.get(row["format"] or row["design"], OTHER_COLOUR)


def _draw(axes: Axes, rows: Sequence[Row], name: str, gain: str) -> None:
    """One panel: all rows, and the front as a line; one label where rows share a point."""
    front: dict[tuple[float, float], list[str]] = {}
    for row in sorted(rows, key=lambda row: float(row["ratio_to_8x8"])):
        point = row["ratio_to_8x8"], row[gain]
        colour = _colour(row)
        axes.plot(
            *point,
            MARKERS[row["weight_bits"]],
            color=colour,
            markerfacecolor="none" if row["vsparq"] is False else colour,
            markersize=5,
            alpha=0.7,
        )
        if name in row["front"].split():
            front.setdefault(point, []).append(f"{row['label']}, w{row['weight_bits']}")
    axes.plot([x for x, _ in front], [y for _, y in front], color="black", linewidth=0.8)
    _name_points(axes, front)
    axes.grid(alpha=0.3)


def _name_points(axes: Axes, front: Mapping[tuple[float, float], Sequence[str]]) -> None:
    """Names left of all points, one below the other, and a line from each to its point."""
    low, high = axes.get_xlim()
    axes.set_xlim(low - (high - low) / 3, high)
    for index, (point, labels) in enumerate(front.items()):
        more = f" (+{len(labels) - 1})" if len(labels) > 1 else ""
        axes.annotate(
            labels[0] + more,
            point,
            xytext=(0.02, (index + 1) / (len(front) + 1)),
            textcoords="axes fraction",
            va="center",
            fontsize=7,
            arrowprops={"arrowstyle": "-", "linewidth": 0.4, "color": "grey"},
        )


def _legend(rows: Sequence[Row]) -> list[Line2D]:
    from matplotlib.lines import Line2D

    def sample(label: str, marker: str, colour: str, face: str | None = None) -> Line2D:
        return Line2D(
            [], [], marker=marker, linestyle="", color=colour, markerfacecolor=face, label=label
        )

    colours = {_colour(row) for row in rows}
    samples = [sample(name, "s", colour) for name, colour in COLOURS.items() if colour in colours]
    if OTHER_COLOUR in colours:
        samples.append(sample("other formats", "s", OTHER_COLOUR))
    widths = sorted({row["weight_bits"] for row in rows})
    samples += [sample(f"{bits}-bit weights", MARKERS[bits], "black") for bits in widths]
    samples.append(sample("without vSPARQ", "o", "black", "none"))
    return [*samples, Line2D([], [], color="black", linewidth=0.8, label="Pareto front")]
