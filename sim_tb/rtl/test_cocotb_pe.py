"""Emitted processing elements in a simulator, all side by side."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from gen.design.configuration import Configuration
from golden import NAMED_FORMATS
from sim_tb.rtl.benches.pe import OWN
from sim_tb.rtl.runner import module_of, run_bench

SEED = 5
ELEMENTS: list[dict[str, Any]] = [
    *({"pe": pe} for pe in ("8x8", "2x8x8", "2x4x8")),
    *(
        {"format": name, "vsparq": vsparq, "group": group}
        for name in NAMED_FORMATS
        for vsparq in (True, False)
        for group in (1, 2)
    ),
    {"group": 8},
    {"vsparq": False, "group": 4},
]
BEHAVIORAL: list[dict[str, Any]] = [{"style": "behavioral", **options} for options in ELEMENTS]
SIGNED: list[dict[str, Any]] = [
    {"format": name, "vsparq": vsparq, "group": group, "style": style}
    for style in ("structural", "behavioral")
    for name in ("s4opt", "s5opt", "s3:0,4")
    for vsparq in (True, False)
    for group in (1, 2)
]
WIDTHS = ((20, 0), (32, 0), (20, 1), (20, 2))
"""Accumulator bits and pipeline."""
EVERY = (*ELEMENTS, *BEHAVIORAL, *SIGNED)
OF_EACH_KIND = [*ELEMENTS[:4], *ELEMENTS[-2:]]


def multiplier_of(configuration: Configuration) -> str:
    """What the element multiplies by, as ``sim_tb.hdl.operands`` names it."""
    if configuration.mac.is_behavioral:
        return "product"
    if configuration.format is None:
        return "distributed" if configuration.pe == "2x4x8" else "radix4"
    if configuration.sparq_format.signed:
        return "signed"
    return "distributed" if configuration.sparq_format.shared_shift else "and"


def check(name: str, elements: Sequence[tuple[dict[str, Any], int, int]]) -> int:
    """Compare elements, of these options, accumulator bits and pipeline, side by side."""
    every = [
        {"top": "pe", "acc_bits": acc_bits, "pipeline": pipeline, **options}
        for options, acc_bits, pipeline in elements
    ]
    configurations = [Configuration(**options) for options in every]
    modules = [module_of(configuration) for configuration in configurations]
    described = [
        (options, multiplier_of(configuration), list(module.ports))
        for options, configuration, module in zip(every, configurations, modules, strict=True)
    ]
    parameters = {"elements": described}
    return run_bench(modules, "pe", seed=SEED, name=name, own=OWN, parameters=parameters)


@pytest.mark.slow
def test_pe(checks: Callable[[int], None]) -> None:
    """Every fourth element, and one of each kind in every second width and pipeline."""
    elements = [(options, 32, 0) for options in ELEMENTS[::4]]
    others = [widths for widths in WIDTHS if widths != (32, 0)]
    elements += [(options, *widths) for options in OF_EACH_KIND for widths in others][::2]
    elements += [(options, 32, 2) for options in BEHAVIORAL[::6]]
    elements += [(options, 20, place % 3) for place, options in enumerate(SIGNED[::5])]
    checks(check("processing_elements", elements))


@pytest.mark.full
def test_pe_full(checks: Callable[[int], None]) -> None:
    elements = [(options, *widths) for widths in WIDTHS for options in EVERY]
    checks(check("all_processing_elements", elements))
