"""The tables of the documentation: ``python -m gen.documentation.tables``.

A table stands in a Markdown file between ``<!-- table: NAME -->`` and ``<!-- end -->``, and is made
of kept results (:mod:`gen.documentation.results`) alone, or of what an engine is.
"""

import re
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from gen.documentation import engine_tables
from gen.documentation.results import FOLDER, Kept, KeptError, load
from golden import named_format
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
    return _number(row["area_um2"] if row.get("area_um2") else row["gate_equivalents"], 0)


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
            shown = row["format"] in (None, "5opt", "2opt") and not row["pipeline"]
            if shown and (row["unit"], row["pairs"]) == (unit, pairs):
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
            if row.get("rows") and row["unit"] != "engine"
        )
    )
    found = [_smallest(kept, unit, rows=rows, cols=cols) for unit, rows, cols in kinds]
    names = list(dict.fromkeys(name for each in found for name in each))
    names.sort(key=lambda name: name == "2x4x8")
    headings = [str(kept.result["library"])]
    headings += [f"{unit.replace('_', ' ')} {rows}x{cols}" for unit, rows, cols in kinds]
    return headings, [[name, *(_ratios(each.get(name)) for each in found)] for name in names]


def engines(kept: Kept) -> Grid:
    """Whole engines: logic, and the bits of their memories, which are no area."""
    rows = [row for row in kept.result["rows"] if row["unit"] == "engine"]
    array = {_design(row): row["share"] for row in rows if row["part"] == "machine"}
    headings = ["engine 8x8 of", f"logic, {_unit(kept)}, {kept.result['library']}", "memory bits"]
    headings += ["logic per MAC per cycle", "to 8x8", "to 2x8x8", "array's share of the logic"]
    return headings, [
        [
            *(_design(row), _area(row), str(row["memory_bits"]), _number(row["area_per_mac"], 0)),
            *(_number(row[f"ratio_to_{base}"], 3) for base in ("8x8", "2x8x8")),
            f"{_number(100 * array[_design(row)], 1)} %",
        ]
        for row in rows
        if row["part"] == "all"
    ]


def engine_parts(kept: Kept) -> Grid:
    """How often each part stands in each engine, its logic, and the bits of its memory."""
    rows = [row for row in kept.result["rows"] if row["unit"] == "engine" and row["part"] != "all"]
    names = list(dict.fromkeys(row["part"] for row in sorted(rows, key=lambda row: -row["share"])))
    designs = list(dict.fromkeys(_design(row) for row in rows))
    found = {(row["part"], _design(row)): row for row in rows}

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
            _number(row["mhz"], 0),
        ]
        for row in kept.result["rows"]
    ]
    headings = ["design", "element", "LUTs", "flip-flops", "DSP blocks", "block RAMs", "LUT RAMs"]
    return [*headings, "MHz"], rows


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


def _evaluations(*names: str) -> tuple[str, ...]:
    return tuple(f"evaluate_{model}_{name}" for model in (RESNET20, SQUEEZENET) for name in names)


def _of_library(
    library: str, energy: bool
) -> dict[str, tuple[Callable[..., Grid], tuple[str, ...]]]:
    kept = (f"area_{library}",)
    return {
        f"elements {library}": (partial(units, unit="pe", energy=energy), kept),
        f"four pairs {library}": (
            partial(units, unit="dot_product", energy=energy, pairs=4),
            kept,
        ),
        f"machines {library}": (machines, kept),
        f"engines {library}": (engines, kept),
        f"engine parts {library}": (engine_parts, kept),
    }


TABLES: dict[str, tuple[Callable[..., Grid], tuple[str, ...]]] = {
    "accuracy": (accuracy, _evaluations("natural")),
    "accuracy mnist": (one_accuracy, ("evaluate_mnist_natural",)),
    "channel order": (channel_order, _evaluations("natural", "calibrated")),
    "shared windows": (
        shared_windows,
        _evaluations("natural", "natural_groups", "calibrated_groups"),
    ),
    **_of_library("osu018", energy=True),
    # Without energy inside cells, a row with adder cells looks better than one without.
    **_of_library("generic", energy=False),
    "glitches osu018": (glitches, ("area_osu018",)),
    "tradeoff generic": (front, ("tradeoff_generic",)),
    "proofs": (proofs, ("prove",)),
    "fpga": (fpga, ("fpga",)),
    "demo mnist": (demo, ("demo_mnist",)),
    "demo engine mnist": (engine_demo, ("demo_engine_mnist",)),
    "products": (products, ("bench",)),
    "networks": (networks, ("bench",)),
    "emission": (emission, ("bench",)),
    "engine ports": (engine_tables.ports, ()),
    "engine registers": (engine_tables.registers, ()),
    "engine counters": (engine_tables.counters, ()),
    "engine errors": (engine_tables.errors, ()),
    "column parameters": (engine_tables.column_parameters, ()),
    "exact planes": (engine_tables.planes, ()),
    "engine bandwidth": (engine_tables.bandwidth, ()),
    "engine streams": (engine_tables.streams, ()),
}
"""All tables: how each is made, and of which kept results."""


def table(name: str, folder: Path = FOLDER) -> str:
    """The table of that name in Markdown, and below it where its figures come from.

    Raises :class:`KeptError` for an unknown table, and for a result that is not kept.
    """
    if name not in TABLES:
        raise KeptError(f"table must be one of {', '.join(TABLES)}, not {name!r}")
    make, sources = TABLES[name]
    kept = [load(source, folder) for source in sources]
    headings, rows = make(*kept)
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
    for name in dict.fromkeys(name for _, names in TABLES.values() for name in names):
        kept = load(name)
        if kept.stale:
            print(f"stale: {name}, of commit {kept.commit[:7]}: what it depends on has changed")


if __name__ == "__main__":
    main()
