"""Emitted processing elements in a simulator, all side by side."""

from collections.abc import Callable
from typing import Any

from gen.configuration import Configuration
from golden import NAMED_FORMATS
from sim_tb.runner import module_of, run_bench

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
    {"top": "pe", "acc_bits": acc_bits, **options} for acc_bits in (20, 32) for options in ELEMENTS
]


def test_pe(checks: Callable[[int], None]) -> None:
    modules = [module_of(Configuration(**options)) for options in OPTIONS]
    elements = [
        (options, list(module.ports)) for options, module in zip(OPTIONS, modules, strict=True)
    ]
    checks(
        run_bench(
            modules,
            "pe",
            seed=SEED,
            name="processing_elements",
            own=["activation_in"],
            parameters={"elements": elements},
        )
    )
