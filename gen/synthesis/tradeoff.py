"""Area of processing elements set against accuracy and noise of a network on them."""

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from rich.progress import Progress

from gen.synthesis.area_report import Row
from gen.synthesis.units import Unit, exact_unit, sparq_unit
from golden import NamedFormat
from hdl import PROCESSING_ELEMENTS
from networks.evaluation.data import Images
from networks.evaluation.evaluate import evaluate_model
from networks.evaluation.model import Model
from networks.evaluation.preparation import Options
from networks.evaluation.settings import (
    BEST,
    DENSE,
    EXACT_8_BIT,
    UNIFORM_4_BIT,
    Setting,
    settings_of,
)

BASE_BITS = 8
"""Weight width of the 8x8 element that all areas are compared with."""
ACC_BITS = 32

EXACT_SETTINGS = {
    8: Setting(EXACT_8_BIT, sparsity=DENSE),
    4: Setting(UNIFORM_4_BIT, sparsity=DENSE, clipping=BEST),
}
"""What exact elements compute, by the bits of an activation that they multiply."""

FRONTS = {"accuracy": "top1", "SQNR": "sqnr_mean_db"}
"""The two Pareto fronts, and the column that each sets against area."""


def measure_qualities(
    model: Model,
    images: Images,
    calibration: Images,
    formats: Sequence[str],
    groups: Sequence[int],
    bits: int,
    progress: Progress,
) -> dict[str, Row]:
    """Accuracy and noise with weights of ``bits`` bits: label of a ``Setting`` -> columns.

    Noise is the SQNR of the outputs of windowed layers: their mean, and the lowest.
    """
    choices = (True, False)
    settings = settings_of(formats, choices, choices, groups, bits, [DENSE])
    result = evaluate_model(model, images, calibration, settings, Options(bits), progress)
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


def exact_designs() -> list[str]:
    """The exact elements whose accuracy an evaluation knows."""
    return [
        name
        for name, kind in PROCESSING_ELEMENTS.items()
        if kind.MULTIPLIERS and kind.ACTIVATION_BITS in EXACT_SETTINGS
    ]


def left_out() -> list[str]:
    """One line for each exact element that is none of those: why it is not set against accuracy."""
    known = " and ".join(map(str, EXACT_SETTINGS))
    return [
        f"{name} is left out: it multiplies {kind.ACTIVATION_BITS} bits of an activation, and "
        f"accuracy is measured for {known}"
        for name, kind in PROCESSING_ELEMENTS.items()
        if kind.MULTIPLIERS and kind.ACTIVATION_BITS not in EXACT_SETTINGS
    ]


def elements(formats: Sequence[str], groups: Sequence[int], widths: Sequence[int]) -> list[Unit]:
    """The processing elements to measure: rounding does not matter to them.

    Exact ones come in all their multipliers.
    """
    options: dict[str, Any] = {"acc_bits": ACC_BITS, "pipeline": 0}
    units = [
        exact_unit("pe", design, multiplier, weight_bits=bits, **options)
        for bits in sorted({*widths, BASE_BITS})
        for design in exact_designs()
        if bits in widths or design == "8x8"
        for multiplier in PROCESSING_ELEMENTS[design].MULTIPLIERS
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
            (
                _smallest(areas, design, bits),
                EXACT_SETTINGS[PROCESSING_ELEMENTS[design].ACTIVATION_BITS],
            )
            for design in exact_designs()
        ]
        computed += [
            (area, Setting(fmt, bits, DENSE))
            for area in areas
            if area["design"] == "sparq" and area["weight_bits"] == bits
            for rounding in (True, False)
            for fmt in [NamedFormat(area["format"], rounding, area["vsparq"], area["group"])]
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
        "rounding": setting.fields["rounding"],
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
