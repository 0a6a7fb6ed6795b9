"""``sparq tradeoff``: accuracy beside area, what an architect decides from."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import click
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from gen.commands.area import FOLDER, check_target, library_options, loadable, run_area
from gen.commands.area_report import Row
from gen.commands.data_options import Inputs, load_inputs
from gen.commands.terminal import (
    Listed,
    formats_option,
    json_option,
    print_tables,
    progress_bar,
    table,
    write_json,
)
from gen.synthesis.units import EXACT, Unit, sparq_unit
from golden import NAMED_FORMATS
from networks.evaluation.evaluate import evaluate_model
from networks.evaluation.preparation import Options
from networks.evaluation.settings import (
    BEST,
    DENSE,
    EXACT_8_BIT,
    FP32,
    UNIFORM_4_BIT,
    Setting,
    settings_of,
)
from networks.samples.mnist.files import write_files
from support.files import write_if_changed
from support.plots import svg_text
from support.text import csv_text, markdown

NETWORK_FOLDER = Path("build/mnist")
GROUPS = (1, 2, 4, 8)
WEIGHT_BITS = (4, 5, 6, 7, 8)
BASE_BITS = 8
"""Weight width of the 8x8 element that all areas are compared with."""
ACC_BITS = 32

EXACT_SETTINGS = {
    "8x8": Setting(EXACT_8_BIT, sparsity=DENSE),
    "2x8x8": Setting(EXACT_8_BIT, sparsity=DENSE),
    "2x4x8": Setting(UNIFORM_4_BIT, sparsity=DENSE, clipping=BEST),
}
"""What exact elements compute: 8-bit activations, or uniform 4-bit ones."""

FRONTS = {"accuracy": "top1", "SQNR": "sqnr_mean_db"}
"""The two Pareto fronts, and the column that each sets against area."""

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


def load_demo_network() -> Inputs:
    """The network for MNIST, its whole test split, and the images it is calibrated with."""
    write_files(NETWORK_FOLDER)
    return load_inputs(
        NETWORK_FOLDER / "mnist.onnx",
        data=NETWORK_FOLDER / "test.npz",
        calibration=NETWORK_FOLDER / "calibration.npz",
        class_map=None,
        calibration_images=None,
        seed=1,
    )


def measure_qualities(
    inputs: Inputs, formats: Sequence[str], groups: Sequence[int], bits: int
) -> dict[str, Row]:
    """Accuracy and noise with weights of ``bits`` bits: label of a ``Setting`` -> columns.

    Noise is the SQNR of the outputs of windowed layers: their mean, and the lowest.
    """
    choices = (True, False)
    settings = settings_of(formats, choices, choices, groups, bits, [DENSE])
    result = evaluate_model(
        inputs.model, inputs.images, inputs.calibration, settings, Options(bits), progress_bar()
    )
    windowed = [layer["sqnr_db"] for layer in result["layers"] if layer["windowed"]]
    qualities = {}
    for row in result["rows"]:
        noises = [layer[row["label"]] for layer in windowed if row["label"] in layer]
        qualities[row["label"]] = {
            "bits_per_activation": row["bits_per_activation"],
            "top1": round(row["top1"], 2),
            "standard_error": round(row["standard_error"], 2),
            "sqnr_mean_db": round(fmean(noises), 2) if noises else None,
            "sqnr_lowest_db": round(min(noises), 2) if noises else None,
        }
    return qualities


def elements(formats: Sequence[str], groups: Sequence[int], widths: Sequence[int]) -> list[Unit]:
    """The processing elements to measure: rounding does not matter to them.

    Exact ones come in all their multipliers.
    """
    options: dict[str, Any] = {"acc_bits": ACC_BITS, "pipeline": 0}
    units = [
        Unit("pe", design, multiplier, weight_bits=bits, **options)
        for bits in sorted({*widths, BASE_BITS})
        for design, kind in EXACT.items()
        if bits in widths or design == "8x8"
        for multiplier in kind.MULTIPLIERS
    ]
    # All groups above 1 have one netlist. Far apart, the first is mapped when the next one asks.
    units += [
        sparq_unit("pe", name, vsparq=vsparq, group=group, weight_bits=bits, **options)
        for group in groups
        for bits in widths
        for vsparq in (True, False)
        for name in formats
    ]
    return units


def join(areas: Sequence[Row], qualities: Mapping[int, Mapping[str, Row]]) -> list[Row]:
    """The rows of the table: elements as ``run_area`` measured them, with what they compute.

    ``qualities`` are those of :func:`measure_qualities` by weight width. Sorted by area within each
    width; of an exact design the smallest element that meets the target counts.
    """
    rows = []
    for bits, by_label in qualities.items():
        bases = {
            "ratio_to_8x8": _smallest(areas, "8x8", BASE_BITS),
            "ratio_to_same_width": _smallest(areas, "8x8", bits),
            "ratio_to_2x8x8": _smallest(areas, "2x8x8", bits),
        }
        computed = [
            (_smallest(areas, design, bits), setting) for design, setting in EXACT_SETTINGS.items()
        ]
        computed += [
            (area, Setting(area["format"], rounding, area["vsparq"], area["group"], bits, DENSE))
            for area in areas
            if area["design"] == "sparq" and area["weight_bits"] == bits
            for rounding in (True, False)
        ]
        found = [_row(area, setting, bases, by_label) for area, setting in computed]
        rows += sorted(found, key=lambda row: (row["area_per_mac"], -row["sqnr_mean_db"]))
    fitting = [row for row in rows if row["meets_target"]]
    for name, gain in FRONTS.items():
        marks = pareto([(row["area_per_mac"], row[gain]) for row in fitting])
        for row, marked in zip(fitting, marks, strict=True):
            row["front"] = " ".join([row["front"], name] if marked else [row["front"]]).strip()
    return rows


def _smallest(areas: Sequence[Row], design: str, bits: int) -> Row:
    """The smallest element of an exact design, if possible one that meets the target."""
    found = [area for area in areas if area["design"] == design and area["weight_bits"] == bits]
    return min(found, key=lambda area: (not area["meets_target"], area["area_per_mac"]))


def _row(area: Row, setting: Setting, bases: Mapping[str, Row], by_label: Mapping[str, Row]) -> Row:
    kept = ("design", "multiplier", "format", "vsparq", "group", "weight_bits")
    measured = ("area", "area_per_mac", "delay_ps", "meets_target", "recipe", "verified_vectors")
    return {
        "label": setting.label if area["design"] == "sparq" else area["label"],
        **{key: area[key] for key in kept},
        "rounding": setting.rounding,
        **{key: area[key] for key in measured},
        **{
            name: round(area["area_per_mac"] / base["area_per_mac"], 4)
            for name, base in bases.items()
        },
        **by_label[setting.label],
        "front": "",
    }


def pareto(points: Sequence[tuple[float, float]]) -> list[bool]:
    """Which points (cost, gain) are on the front.

    Those than which no other one costs as little or less and gains as much or more, with a
    difference in either; equal points are on it together.
    """
    return [
        not any(
            other != point and other[0] <= point[0] and other[1] >= point[1] for other in points
        )
        for point in points
    ]


@click.command()
@library_options
@formats_option
@click.option(
    "--weight-bits",
    "widths",
    type=Listed.of(*map(str, WEIGHT_BITS)),
    default=",".join(map(str, WEIGHT_BITS)),
    show_default=True,
    metavar="N,...",
    help="Widths of the weights.",
)
@click.option(
    "--group",
    "groups",
    type=Listed.of(*map(str, GROUPS)),
    default=",".join(map(str, GROUPS)),
    show_default=True,
    metavar="N,...",
    help="Activations that share a window.",
)
@json_option
def tradeoff(
    libraries: tuple[str, ...],
    liberties: tuple[Path, ...],
    target_ps: object,
    formats: Sequence[str],
    widths: Sequence[str],
    groups: Sequence[str],
    json_file: Path | None,
) -> None:
    """Set the area of processing elements against accuracy and noise of the network for MNIST.

    Every format with and without rounding and vSPARQ, beside the exact elements. Each netlist is
    simulated against golden before its area counts. Table (CSV, Markdown), JSON and plot go to
    build/area; what was measured before is not measured again.

    \b
    bits/activation: stored bits of an encoded activation, its share of control included
    area/MAC:        in the library's unit; delays that miss the clock target say so
    to 8x8:          area per MAC relative to the smallest 8x8 element of 8-bit weights
    to same width:   likewise, of weights as wide as the row's
    to 2x8x8:        likewise, of two exact MACs with one accumulator
    top-1 %, ±:      accuracy on the whole test split, and its standard error
    SQNR dB, lowest: signal to quantization noise of the windowed layers' outputs: mean, lowest
    front:           meets the target, and no other row that does is as small and as accurate
                     (or as free of noise), and better in one of them
    """
    target = check_target(target_ps)
    sources = loadable(libraries, liberties)
    chosen = list(dict.fromkeys(formats))
    sizes = sorted({int(group) for group in groups})
    widths_of_weights = sorted({int(width) for width in widths})
    inputs = load_demo_network()
    qualities = {bits: measure_qualities(inputs, chosen, sizes, bits) for bits in widths_of_weights}
    units = elements(chosen, sizes, widths_of_weights)
    results = []
    with progress_bar() as progress:
        for source in sources:
            measured = run_area(source, units, target, progress, faster=False, energy=False)
            results.append(
                {
                    "library": measured["library"],
                    "target_ps": measured["target"],
                    "model": inputs.model.name,
                    "images": len(inputs.images),
                    "fp32_top1": qualities[widths_of_weights[0]][FP32]["top1"],
                    "rows": join(measured["rows"], qualities),
                }
            )
    for result in results:
        _print(result)
        for path, text in tradeoff_files(result, FOLDER).items():
            write_if_changed(path, text)
            click.echo(f"wrote {path}")
    write_json(json_file, results[0] if len(results) == 1 else results)


def _grids(result: Row) -> list[tuple[str, list[str], list[list[str]]]]:
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


def _print(result: Row) -> None:
    tables = []
    for title, headings, rows in _grids(result):
        printed = table(title, *headings)
        for row in rows:
            printed.add_row(*row)
        tables.append(printed)
    print_tables(*tables)
    click.echo(f"{result['model']}: {result['images']} images, FP32 {result['fp32_top1']:.2f} %")


def tradeoff_files(result: Row, folder: Path) -> dict[Path, str]:
    """JSON, CSV, Markdown and plot of a result: path -> text."""
    texts = {
        "json": json.dumps(result, indent=2) + "\n",
        "csv": csv_text(result["rows"]),
        "md": "\n".join(markdown(*grid) for grid in _grids(result)),
        "svg": svg_text(_figure(result)),
    }
    stem = f"tradeoff_{result['library']}"
    return {folder / f"{stem}.{suffix}": text for suffix, text in texts.items()}


MARKERS = dict(zip(WEIGHT_BITS, "v<o>^", strict=True))
COLOURS = {name: f"C{index}" for index, name in enumerate(NAMED_FORMATS)}
COLOURS |= {"8x8": "black", "2x8x8": "dimgrey", "2x4x8": "darkgrey"}
AXES = {
    "accuracy": "top-1 accuracy on {images} images, %",
    "SQNR": "mean SQNR of windowed layers, dB",
}


def _figure(result: Row) -> Figure:
    figure = Figure(figsize=(15, 7), layout="constrained")
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
    return COLOURS[row["format"] or row["design"]]


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
    def sample(label: str, marker: str, colour: str, face: str | None = None) -> Line2D:
        return Line2D(
            [], [], marker=marker, linestyle="", color=colour, markerfacecolor=face, label=label
        )

    colours = {_colour(row) for row in rows}
    samples = [sample(name, "s", colour) for name, colour in COLOURS.items() if colour in colours]
    widths = sorted({row["weight_bits"] for row in rows})
    samples += [sample(f"{bits}-bit weights", MARKERS[bits], "black") for bits in widths]
    samples.append(sample("without vSPARQ", "o", "black", "none"))
    return [*samples, Line2D([], [], color="black", linewidth=0.8, label="Pareto front")]
