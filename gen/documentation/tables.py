"""The tables of the documentation: ``python -m gen.documentation.tables``.

A table stands in a Markdown file between ``<!-- table: NAME -->`` and ``<!-- end -->``, and is made
of kept results (:mod:`gen.documentation.results`) alone, or of what an engine is. One whose results
are not kept yet says which command keeps them.
"""

import re
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from gen.design.configuration import AROUND
from gen.documentation import engine_tables, workload_tables
from gen.documentation.results import FOLDER, Kept, KeptError, NotKeptError, load
from golden import BLOCK_FORMATS, named_format
from networks.methods.comparison import method_text
from support.errors import InputError
from support.files import write_if_changed

DOCUMENTS = Path("docs")
MARKED = re.compile(r"(?<=<!-- table: )(?P<name>[^\n]+?) -->\n(?P<table>.*?)(?=<!-- end -->)", re.S)

Row = dict[str, Any]
Grid = tuple[list[str], list[list[str]]]
"""Headings and rows."""

RESNET20, SQUEEZENET = "resnet20_cifar10_bn", "squeezenet_dc_imagenet"


def _percent(row: Row) -> str:
    return f"{row['top1']:.2f} ± {row['standard_error']:.2f}"


def _difference(row: Row) -> str:
    if row["difference"] is None:
        return ""
    near = " ≈" if row["within_error"] else ""
    return f"{row['difference']:+.2f} ± {row['difference_error']:.2f}{near}"


def _labelled(kept: Kept) -> dict[str, Row]:
    return {row["label"]: row for row in kept.result["rows"]}


def accuracy(resnet20: Kept, squeezenet: Kept) -> Grid:
    """Top-1 of both networks in every format, and its difference from 8 bits."""
    other = _labelled(squeezenet)
    headings = ["format", "bits per activation", "ResNet-20, CIFAR-10", "- 8-bit"]
    headings += ["SqueezeNet, ImageNet pictures", "- 8-bit"]
    rows = [
        [
            label,
            f"{row['bits_per_activation']:g}",
            *(_percent(row), _difference(row)),
            *(_percent(other[label]), _difference(other[label])),
        ]
        for label, row in _labelled(resnet20).items()
    ]
    return headings, rows


def one_accuracy(kept: Kept) -> Grid:
    """Top-1 of one network in every format."""
    headings = ["format", "bits per activation", "top-1 %", "- 8-bit"]
    rows = [
        [label, f"{row['bits_per_activation']:g}", _percent(row), _difference(row)]
        for label, row in _labelled(kept).items()
    ]
    return headings, rows


def signed_accuracy(*kept: Kept, lines: bool = False) -> Grid:
    """The score of one network in every format, as it is and corrected: exact lines, or top-1.

    ``kept`` are of formats of one activation each, the same corrected, of groups, these corrected;
    raises :class:`KeptError` where they are not of the same images. Block formats come last.
    """
    counts = list(dict.fromkeys(each.result["images"] for each in kept))
    if len(counts) > 1:
        model, found = kept[0].result["model"], " and ".join(map(str, counts))
        raise KeptError(f"results of {model} must be of the same images, not of {found}")
    tables = [_labelled(each) for each in kept]
    plain, corrected = tables[2] | tables[0], tables[3] | tables[1]
    labels = dict.fromkeys([*tables[0], *tables[2]])
    headings = ["format", "bits per activation", "multiplications in it %"]
    headings += [f"{'exact lines' if lines else 'top-1'} %, of {counts[0]}", "- 8-bit"]
    headings += ["corrected", "- 8-bit", *(["characters wrong %", "corrected"] if lines else [])]
    rows = []
    for label in sorted(labels, key=lambda label: label in BLOCK_FORMATS):
        row, other = plain[label], corrected[label]
        texts = [label, f"{row['bits_per_activation']:g}", _number(row["windowed_share"], 1)]
        texts += [_percent(row), _difference(row), _percent(other), _difference(other)]
        wrong = [_number(each["character_error"], 2) for each in (row, other)] if lines else []
        rows.append([*texts, *wrong])
    return headings, rows


def methods(kept: Kept) -> Grid:
    """What methods of quantization win back of one network, in every format and width."""
    rows = [
        [
            *(row["format"], str(row["weight_bits"]), method_text(row), f"{row['loss']:.4f}"),
            _percent(row),
            *(f"{row[name]:+.2f} ± {row[f'{name}_error']:.2f}" for name in ("difference", "lost")),
        ]
        for row in kept.result["rows"]
    ]
    headings = ["format", "weight bits", "method", "loss", "top-1 %", "- minmax"]
    return [*headings, "- minmax at the most bits"], rows


def search(kept: Kept) -> Grid:
    """What a search found: choices that no other one beats in cost and loss."""
    result = kept.result
    rows = [
        [
            *(row["element"], str(row["weight_bits"]), str(row["acc_bits"]), row["method"]),
            *(row["channel_order"], f"{row['windowed']} of {row['free']}"),
            *(str(row["cycles"]), f"{row['area']:.0f}{'' if row['meets_target'] else '*'}"),
            f"{row['cost']:.4g}",
            *(f"{row['loss']:.4f}", f"{row['uniform_choice']['loss']:.4f}", _percent(row)),
            *(f"{row[name]:+.2f} ± {row[f'{name}_error']:.2f}" for name in ("difference", "gain")),
        ]
        for row in result["front"]
    ]
    headings = ["element", "weight bits", "accumulator bits", "clips", "channels"]
    headings += ["layers in windows", "cycles", f"area, {result['unit']}", result["cost"]]
    headings += ["loss", "uniform loss"]
    return [*headings, "top-1 %", "- 8 bits", "- uniform"], rows


def accumulators(kept: Kept) -> Grid:
    """The arrays that a search found: their area with narrow accumulators, and with 32 bits."""
    rows = [
        [
            *(row["element"], str(row["weight_bits"]), f"{row['rows']}x{row['cols']}"),
            *(str(row["acc_bits"]), f"{row['area']:.0f}", f"{row['area_32']:.0f}"),
            f"{100 * (1 - row['area'] / row['area_32']):.1f} %",
        ]
        for row in kept.result["accumulators"]
    ]
    headings = ["element", "weight bits", "array", "accumulator bits"]
    return [*headings, f"area, {kept.result['unit']}", "with 32 bits", "saved"], rows


def multipoint(kept: Kept) -> Grid:
    """What second points win back of one network, beside the same methods without."""
    rows = []
    for row in kept.result["rows"]:
        columns, slices, gain = "none", "", ""
        if "columns" in row:
            drawn = ", drawn" if row["random"] else ""
            columns = f"{row['extra_columns']}: {row['columns']}{drawn}"
            slices = f"+{100 * (row['slices'] / row['slices_before'] - 1):.1f}"
            gain = f"{row['gain']:+.1f} ± {row['gain_error']:.1f}"
        texts = [str(row["weight_bits"]), row["method"], columns, slices, f"{row['loss']:.4f}"]
        rows.append([*texts, f"{row['top1']:.1f}", gain])
    headings = ["weight bits", "method", "extra columns", "slices %", "loss", "top-1 %"]
    return [*headings, "- without"], rows


def channel_order(*kept: Kept) -> Grid:
    """Top-1 with neighbouring and with calibrated channels: both results of each network."""
    headings = ["format"]
    for name in ("ResNet-20", "SqueezeNet"):
        headings += [f"{name}: neighbours", "calibrated", "- 8-bit"]
    tables = [_labelled(each) for each in kept]
    rows = []
    for label, row in tables[1].items():
        if row["difference"] is not None and all(label in table for table in tables):
            texts = [label]
            for natural, calibrated in (tables[:2], tables[2:]):
                texts += [f"{natural[label]['top1']:.2f}", f"{calibrated[label]['top1']:.2f}"]
                texts += [_difference(calibrated[label])]
            if "opt" in label and " " not in label:
                rows.append(texts)
    return headings, rows


def shared_windows(*kept: Kept) -> Grid:
    """Top-1 of 5opt without vSPARQ by group: all variants, shared, calibrated, of each network."""
    headings = ["5opt without vSPARQ", "bits per activation"]
    for name in ("ResNet-20", "SqueezeNet"):
        headings += [f"{name}: neighbours", "calibrated"]
    tables = [_labelled(each) for each in kept]
    rows = []
    for group in (1, 2, 4, 8):
        label = "5opt no vSPARQ" + (f" group {group}" if group > 1 else "")
        texts = [f"group {group}"]
        for natural, shared, calibrated in (tables[:3], tables[3:]):
            row = (natural if group == 1 else shared)[label]
            if len(texts) == 1:
                texts.append(f"{row['bits_per_activation']:g}")
            texts += [_percent(row), _percent(calibrated[label]) if label in calibrated else ""]
        rows.append(texts)
    return headings, rows


def _design(row: Row) -> str:
    """A design by the name that the tables give it."""
    if row["design"] != "sparq":
        return str(row["design"])
    parts = [row["format"]]
    parts += [] if row["vsparq"] else ["no vSPARQ"]
    parts += [f"group {row['group']}"] if row["group"] > 1 else []
    return ", ".join(parts)


def _system(row: Row) -> str:
    """The design of an engine's or accelerator's array, and what its vector unit lacks."""
    return _design(row) + (", LANES=0" if row.get("multiplies") is False else "")


def _stored_bits(row: Row) -> str:
    if row["design"] != "sparq":
        return "4" if row["design"] == "2x4x8" else "8"
    fmt = named_format(row["format"], True, row["vsparq"], row["group"])
    return f"{fmt.bits_per_activation:g}"


def _smallest(kept: Kept, unit: str, **sizes: int) -> dict[str, Row]:
    """The smallest row of each design of one kind of unit; the floor comes last."""
    found: dict[str, Row] = {}
    for row in kept.result["rows"]:
        if row["unit"] == unit and all(row.get(key) == size for key, size in sizes.items()):
            best = found.setdefault(_design(row), row)
            if row["area_per_mac"] < best["area_per_mac"]:
                found[_design(row)] = row
    return dict(sorted(found.items(), key=lambda item: item[0] == "2x4x8"))


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _area(row: Row) -> str:
    area = row.get("area_um2")
    return _number(row["gate_equivalents"] if area is None else area, 0)


def _unit(kept: Kept) -> str:
    return "um2" if kept.result["rows"][0].get("area_um2") else "GE"


def _nanoseconds(row: Row) -> str:
    text = _number(None if row["delay_ps"] is None else row["delay_ps"] / 1000, 2)
    return text if row["meets_target"] else f"{text}*"


def _energies(rows: Sequence[Row]) -> dict[str, str]:
    """The energy columns that there are: heading -> key."""
    columns = {"energy": "energy_per_mac_ratio", "with glitches": "glitch_energy_per_mac_ratio"}
    return {
        heading: key
        for heading, key in columns.items()
        if any(row.get(key) is not None for row in rows)
    }


def units(kept: Kept, unit: str, energy: bool, **sizes: int) -> Grid:
    """Area, energy (if that can be compared) and delay of one kind of unit."""
    found = _smallest(kept, unit, **sizes)
    energies = _energies(list(found.values())) if energy else {}
    headings = ["design", "stored bits", f"{_unit(kept)}, {kept.result['library']}"]
    headings += ["to 8x8", "to 2x8x8", *energies, "delay ns"]
    rows = [
        [
            *(name, _stored_bits(row), _area(row)),
            *(_number(row[f"ratio_to_{base}"], 3) for base in ("8x8", "2x8x8")),
            *(_number(row.get(key), 3) for key in energies.values()),
            _nanoseconds(row),
        ]
        for name, row in found.items()
    ]
    return _measured(headings, rows)


ENERGIES = ("energy", "glitch_energy", "uniform_energy", "uniform_glitch_energy")
"""Of the demo network's operands and of uniform ones, each without glitches and with them."""


def glitches(kept: Kept) -> Grid:
    """Energies of elements and of units of four pairs: all exact ones, the finest and the coarsest
    of the paper's formats."""
    rows = []
    for unit, pairs, name in (("pe", 1, "element"), ("dot_product", 4, "4 pairs")):
        for row in kept.result["rows"]:
            if (row["unit"], row.get("pairs")) != (unit, pairs):
                continue
            if row["format"] in (None, "5opt", "2opt") and not row["pipeline"]:
                multiplier = [row["multiplier"]] if row["multiplier"] else []
                texts = [_number(row[f"{energy}_per_mac_ratio"], 3) for energy in ENERGIES]
                rows.append([name, ", ".join([_design(row), *multiplier]), *texts])
    headings = ["unit", "design", "demo network", "with glitches", "uniform", "with glitches"]
    return headings, rows


def _measured(headings: list[str], rows: list[list[str]]) -> Grid:
    """Without the columns that no row has a figure in."""
    places = [place for place in range(len(headings)) if any(row[place] != "-" for row in rows)]
    return [headings[place] for place in places], [[row[place] for place in places] for row in rows]


def _ratios(row: Row | None) -> str:
    if row is None:
        return "-"
    missed = "" if row["meets_target"] else "*"
    return f"{row['ratio_to_8x8']:.3f} ({row['ratio_to_2x8x8']:.3f}){missed}"


def machines(kept: Kept) -> Grid:
    """Area per MAC of each design in each machine, to 8x8 (to 2x8x8)."""
    kinds = list(
        dict.fromkeys(
            (row["unit"], row["rows"], row["cols"])
            for row in kept.result["rows"]
            if row.get("rows") and row["unit"] not in AROUND
        )
    )
    found = [_smallest(kept, unit, rows=rows, cols=cols) for unit, rows, cols in kinds]
    names = list(dict.fromkeys(name for each in found for name in each))
    names.sort(key=lambda name: name == "2x4x8")
    headings = [str(kept.result["library"])]
    headings += [f"{unit.replace('_', ' ')} {rows}x{cols}" for unit, rows, cols in kinds]
    return headings, [[name, *(_ratios(each.get(name)) for each in found)] for name in names]


def _systems(kept: Kept, unit: str) -> list[Row]:
    """The rows of engines or accelerators; :class:`NotKeptError` if there are none."""
    rows = [row for row in kept.result["rows"] if row["unit"] == unit]
    if not rows:
        raise NotKeptError(f"no {unit} is in {kept.command}")
    return rows


def systems(kept: Kept, unit: str) -> Grid:
    """Whole engines or accelerators: logic, and the bits of their memories, which are no area."""
    rows = _systems(kept, unit)
    array = {_system(row): row["share"] for row in rows if row["part"] == "machine"}
    headings = [f"{unit} {rows[0]['rows']}x{rows[0]['cols']} of"]
    headings += [f"logic, {_unit(kept)}, {kept.result['library']}", "memory bits"]
    headings += ["logic per MAC per cycle", "to 8x8", "to 2x8x8", "array's share of the logic"]
    return headings, [
        [
            *(_system(row), _area(row), str(row["memory_bits"]), _number(row["area_per_mac"], 0)),
            *(_number(row[f"ratio_to_{base}"], 3) for base in ("8x8", "2x8x8")),
            f"{_number(100 * array[_system(row)], 1)} %",
        ]
        for row in rows
        if row["part"] == "all"
    ]


def system_parts(kept: Kept, unit: str) -> Grid:
    """How often each part stands in each engine or accelerator, its logic, and the bits of its
    memory.

    Parts that are alike and numbered are one.
    """
    alike: dict[tuple[Any, ...], Row] = {}
    for row in _systems(kept, unit):
        if row["part"] != "all":
            name = row["part"].rstrip("0123456789")
            one = alike.setdefault(
                (name, _system(row), _area(row), row["memory_bits"]),
                row | {"part": name, "count": 0},
            )
            one["count"] += row["count"]
    rows = list(alike.values())
    names = list(dict.fromkeys(row["part"] for row in sorted(rows, key=lambda row: -row["share"])))
    designs = list(dict.fromkeys(map(_system, rows)))
    found = {(row["part"], _system(row)): row for row in rows}

    def text(row: Row | None) -> str:
        if row is None:
            return "-"
        times = f"{row['count']} x " if row["count"] > 1 else ""
        bits = f" + {row['memory_bits']} bits" if row["memory_bits"] else ""
        return f"{times}{_area(row)}{bits}"

    headings = [f"part: {_unit(kept)}, {kept.result['library']}", *designs]
    return headings, [
        [f"`{name}`", *(text(found.get((name, design))) for design in designs)] for name in names
    ]


def front(kept: Kept) -> Grid:
    """What is on a Pareto front of area against accuracy or noise."""
    headings = ["element", "weights", "bits per activation", "area to 8x8", "top-1 %"]
    headings += ["SQNR dB", "lowest"]
    rows = [
        [
            *(row["label"], str(row["weight_bits"]), f"{row['bits_per_activation']:g}"),
            *(_number(row["ratio_to_8x8"], 3), _number(row["top1"], 1)),
            *(_number(row["sqnr_mean_db"], 1), _number(row["sqnr_lowest_db"], 1)),
        ]
        for row in sorted(kept.result["rows"], key=lambda row: float(row["ratio_to_8x8"]))
    ]
    return headings, rows


def proofs(kept: Kept) -> Grid:
    """What is proved: one line for each property."""
    rows = [
        [
            *(f"`{row['property']}`", row["says"], ", ".join(row["methods"])),
            " or ".join([*row["depths"][:2], *(["others"] if len(row["depths"]) > 2 else [])]),
            *(str(row["configurations"]), _number(row["seconds"], 0)),
        ]
        for row in kept.result["rows"]
    ]
    return ["property", "says", "method", "depth", "configurations", "seconds"], rows


def fpga(kept: Kept) -> Grid:
    """What designs take of an FPGA, and their frequencies."""
    counts = ("luts", "flip_flops", "multipliers", "block_rams", "distributed_rams")
    rows = [
        [
            *(f"`{row['name']}`", row["element"], *(str(row[name]) for name in counts)),
            *(_number(row["mhz"], 0), str(len(row["mhz_of_seeds"]))),
        ]
        for row in kept.result["rows"]
    ]
    headings = ["design", "element", "LUTs", "flip-flops", "DSP blocks", "block RAMs", "LUT RAMs"]
    return [*headings, "MHz", "seeds"], rows


def demo(kept: Kept) -> Grid:
    """The layers of a network on both arrays."""
    rows = [
        [
            *(layer["name"], f"{layer['m']} x {layer['k']} x {layer['n']}", str(layer["tiles"])),
            *(str(layer["cycles_8x8"]), str(layer["cycles_sparq"]), _number(layer["ratio"], 3)),
            "yes" if layer["bit_exact"] else "no",
        ]
        for layer in kept.result["layers"]
    ]
    return ["layer", "M x K x N", "tiles", "cycles 8x8", "SPARQ", "ratio", "bit-exact"], rows


def engine_demo(kept: Kept) -> Grid:
    """The layers of a network on both engines, and the whole."""
    rows = [
        [
            *(layer["name"], f"{layer['m']} x {layer['k']} x {layer['n']}"),
            *(str(layer["predicted"]), str(layer["cycles"])),
            f"{_number(100 * layer['utilization'], 1)} %",
            *(str(layer["cycles_8x8"]), _number(layer["speedup"], 2), layer["reason"]),
        ]
        for layer in kept.result["layers"]
    ]
    result = kept.result
    total = ["", str(result["cycles"]), "", str(result["cycles_8x8"])]
    rows.append(["network", "", *total, _number(result["speedup"], 2), ""])
    headings = ["layer", "M x K x N", "predicted", "cycles", "busy", "cycles 8x8", "speedup"]
    return [*headings, "why not 2"], rows


def accelerator_demo(kept: Kept) -> Grid:
    """The layers of a network on both accelerators, as predicted, and the whole as measured."""
    rows = [
        [
            *(layer["layer"], str(layer["cycles"])),
            *(f"{_number(100 * layer['utilization'], 1)} %", layer["bound"]),
            *(str(layer["cycles_8x8"]), _number(layer["speedup"], 2)),
        ]
        for layer in kept.result["layers"]
    ]
    result = kept.result
    measured = (_number(result[name], 0) for name in ("cycles", "cycles_8x8"))
    cycles, exact = measured
    rows.append(["network, measured", cycles, "", "", exact, _number(result["speedup"], 2)])
    return ["layer", "cycles, predicted", "busy", "bound by", "cycles 8x8", "speedup"], rows


def products(kept: Kept) -> Grid:
    """Times of the golden products."""
    rows = [
        [row["name"], _number(row["ms"], 2), _number(row["relative_speed"], 2)]
        for row in kept.result["products"]
    ]
    return ["product", "ms", "speed / float32"], rows


def networks(kept: Kept) -> Grid:
    """Speeds of integer networks."""
    rows = []
    for row in kept.result["networks"]:
        reference = row["fp32_images_per_second"]
        texts = [row["model"], _number(reference, 1)]
        for name in ("a8w8", "5opt"):
            compiled, plain = (row[f"{name}{end}_images_per_second"] for end in ("", "_numpy"))
            texts += [_number(compiled, 1), _number(compiled / reference, 2)]
            texts += [_number(plain / reference, 2)]
        rows.append(texts)
    headings = ["network", "onnxruntime float32"]
    return [*headings, "8-bit", "ratio", "in NumPy", "5opt", "ratio", "in NumPy"], rows


def emission(kept: Kept) -> Grid:
    """Time, size and memory of the emission of arrays."""
    rows = [
        [
            *(f"{row['rows']} x {row['cols']}", _number(row["seconds"], 2), str(row["bytes"])),
            *(str(row["modules"]), _number(row["peak_mib"], 0)),
        ]
        for row in kept.result["emission"]
    ]
    return ["array", "seconds", "bytes", "modules", "peak MiB"], rows


class Table(NamedTuple):
    """How a table is made of which kept results, and the command that keeps these."""

    make: Callable[..., Grid]
    sources: tuple[str, ...] = ()
    kept_by: str = ""


def _evaluations(*names: str) -> tuple[str, ...]:
    return tuple(f"evaluate_{model}_{name}" for model in (RESNET20, SQUEEZENET) for name in names)


def _of_library(library: str, energy: bool, kept_by: str) -> dict[str, Table]:
    kept = (f"area_{library}",), kept_by
    return {
        f"elements {library}": Table(partial(units, unit="pe", energy=energy), *kept),
        f"four pairs {library}": Table(
            partial(units, unit="dot_product", energy=energy, pairs=4), *kept
        ),
        f"machines {library}": Table(machines, *kept),
        **{
            f"{name} {library}": Table(partial(make, unit=unit), *kept)
            for unit in AROUND
            for name, make in ((f"{unit}s", systems), (f"{unit} parts", system_parts))
        },
    }


def _signed(model: str, lines: bool = False) -> dict[str, Table]:
    names = ("natural", "natural_corrected", "natural_groups", "natural_groups_corrected")
    kept = tuple(f"evaluate_{model}_{name}" for name in names)
    return {f"accuracy {model}": Table(partial(signed_accuracy, lines=lines), kept, MODERN)}


OSU018, GENERIC = "make area LIBRARY=osu018 KEEP=1", "make area KEEP=1"
SHARED, MODERN = "make evaluate-shared SHARED=folder KEEP=1", "make evaluate-modern KEEP=1"
METHODS = "make methods SHARED=folder KEEP=1"
CORRECTED = 'make methods SHARED=folder OPTIONS="--correct-bias --formats 5opt" KEEP=1'
SEARCH = "make search SHARED=folder KEEP=1"
MULTIPOINT = "make multipoint SHARED=folder KEEP=1"
BENCH = "make bench KEEP=1"
EMBEDDINGS = ("embeddings",), "make embeddings KEEP=1"
GRAPHS = ("graphs_gcn",), "make graphs SHARED=folder KEEP=1"
SUMS = ("graphs_gin",), 'make graphs SHARED=folder OPTIONS="--architecture GIN" KEEP=1'

TABLES: dict[str, Table] = {
    "accuracy": Table(accuracy, _evaluations("natural"), SHARED),
    "accuracy mnist": Table(one_accuracy, ("evaluate_mnist_natural",), "make evaluate KEEP=1"),
    "channel order": Table(channel_order, _evaluations("natural", "calibrated"), SHARED),
    "shared windows": Table(
        shared_windows, _evaluations("natural", "natural_groups", "calibrated_groups"), SHARED
    ),
    "methods mnist": Table(methods, ("methods_mnist",), METHODS),
    "methods resnet20": Table(methods, (f"methods_{RESNET20}",), METHODS),
    "methods squeezenet": Table(methods, (f"methods_{SQUEEZENET}",), METHODS),
    "biases mnist": Table(methods, ("methods_biases_mnist",), CORRECTED),
    "biases resnet20": Table(methods, (f"methods_biases_{RESNET20}",), CORRECTED),
    "biases squeezenet": Table(methods, (f"methods_biases_{SQUEEZENET}",), CORRECTED),
    "search resnet20": Table(search, (f"search_{RESNET20}",), SEARCH),
    "search squeezenet": Table(search, (f"search_{SQUEEZENET}",), SEARCH),
    "accumulators resnet20": Table(accumulators, (f"search_{RESNET20}",), SEARCH),
    "accumulators squeezenet": Table(accumulators, (f"search_{SQUEEZENET}",), SEARCH),
    "multipoint resnet20": Table(multipoint, (f"methods_multipoint_{RESNET20}",), MULTIPOINT),
    "multipoint squeezenet": Table(multipoint, (f"methods_multipoint_{SQUEEZENET}",), MULTIPOINT),
    **_signed("direction"),
    **_signed("minilm"),
    **_signed("recognition", lines=True),
    **_of_library("osu018", True, OSU018),
    # Without energy inside cells, a row with adder cells looks better than one without.
    **_of_library("generic", False, GENERIC),
    "glitches osu018": Table(glitches, ("area_osu018",), OSU018),
    "tradeoff generic": Table(front, ("tradeoff_generic",), "make tradeoff KEEP=1"),
    "proofs": Table(proofs, ("prove",), "make prove KEEP=1"),
    "fpga": Table(fpga, ("fpga",), "make fpga KEEP=1"),
    "demo mnist": Table(demo, ("demo_mnist",), "make demo KEEP=1"),
    "demo recognition": Table(demo, ("demo_recognition",), MODERN),
    "demo engine mnist": Table(engine_demo, ("demo_engine_mnist",), "make demo TOP=engine KEEP=1"),
    "demo accelerator mnist": Table(
        accelerator_demo, ("demo_accelerator_mnist",), "make demo TOP=accelerator KEEP=1"
    ),
    "products": Table(products, ("bench",), BENCH),
    "networks": Table(networks, ("bench",), BENCH),
    "emission": Table(emission, ("bench",), BENCH),
    "recommenders": Table(workload_tables.recommenders, *EMBEDDINGS),
    "embeddings": Table(workload_tables.embeddings, *EMBEDDINGS),
    "embeddings array": Table(workload_tables.products, *EMBEDDINGS),
    "graphs": Table(workload_tables.accuracies, *GRAPHS),
    "graphs sums": Table(workload_tables.accuracies, *SUMS),
    "graphs array": Table(workload_tables.products, *GRAPHS),
    "engine ports": Table(engine_tables.ports),
    "engine registers": Table(engine_tables.registers),
    "engine counters": Table(engine_tables.counters),
    "engine errors": Table(engine_tables.errors),
    "column parameters": Table(engine_tables.column_parameters),
    "exact planes": Table(engine_tables.planes),
    "engine bandwidth": Table(engine_tables.bandwidth),
    "engine streams": Table(engine_tables.streams),
}
"""All tables."""


def table(name: str, folder: Path = FOLDER) -> str:
    """The table of that name in Markdown, and below it where its figures come from.

    Where a result is not kept, one line that says so. Raises :class:`KeptError` for an unknown
    table, and for a result that cannot be read.
    """
    if name not in TABLES:
        raise KeptError(f"table must be one of {', '.join(TABLES)}, not {name!r}")
    make, sources, kept_by = TABLES[name]
    try:
        kept = [load(source, folder) for source in sources]
        headings, rows = make(*kept)
    except NotKeptError:
        return f"Not measured yet: `{kept_by}` keeps what this table is made of.\n"
    lines = [f"| {' | '.join(cells)} |" for cells in (headings, *rows)]
    lines.insert(1, "|---" * len(headings) + "|")
    captions = dict.fromkeys(each.caption for each in kept)
    return "\n".join([*lines, "", *(f"<sub>{caption}</sub>" for caption in captions)]) + "\n"


def rewritten(text: str, folder: Path = FOLDER) -> str:
    """``text`` with its tables made anew; raises :class:`KeptError`."""
    return MARKED.sub(lambda found: f"{found['name']} -->\n{table(found['name'], folder)}", text)


def main() -> None:
    """Write all tables into the documents; say which of their results are stale."""
    try:
        for path in sorted(DOCUMENTS.glob("*.md")):
            if write_if_changed(path, rewritten(path.read_text(encoding="utf-8"))):
                print(f"wrote {path}")
    except InputError as error:
        sys.exit(f"tables: {error}")
    commands = {source: each.kept_by for each in TABLES.values() for source in each.sources}
    for name, command in commands.items():
        try:
            kept = load(name)
        except NotKeptError:
            print(f"not kept: {name}, of {command}")
            continue
        if kept.stale:
            print(f"stale: {name}, of commit {kept.commit[:7]}: what it depends on has changed")


if __name__ == "__main__":
    main()
