"""Emitted processing elements in a simulator, all side by side."""

from collections.abc import Callable
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
OPTIONS = [
    {"top": "pe", "acc_bits": acc_bits, "pipeline": pipeline, **options}
    for acc_bits, pipeline in ((20, 0), (32, 0), (20, 1), (20, 2))
    for options in ELEMENTS
]


def multiplier_of(configuration: Configuration) -> str:
    """What the element multiplies by, as ``sim_tb.hdl.operands`` names it."""
    if configuration.format is None:
        return "distributed" if configuration.pe == "2x4x8" else "radix4"
    return "distributed" if configuration.sparq_format.shared_shift else "and"


@pytest.mark.slow
def test_pe(checks: Callable[[int], None]) -> None:
    configurations = [Configuration(**options) for options in OPTIONS]
    modules = [module_of(configuration) for configuration in configurations]
    elements = [
        (options, multiplier_of(configuration), list(module.ports))
        for options, configuration, module in zip(OPTIONS, configurations, modules, strict=True)
    ]
    checks(
        run_bench(
            modules,
            "pe",
            seed=SEED,
            name="processing_elements",
            own=OWN,
            parameters={"elements": elements},
        )
    )
