"""Emitted multipliers in a simulator: every product of a lane in every format."""

from collections.abc import Callable
from typing import Any

import pytest
from amaranth.hdl import Shape
from amaranth.lib.wiring import In

from gen.verilog.emission import Emission
from golden import NAMED_FORMATS, named_format
from hdl.multiplier.shift_add_multiplier import ShiftAddMultiplier
from sim_tb.rtl.runner import Module, run_bench

SEED = 3
NAMES = list(NAMED_FORMATS)


def multiplier(module: str, component: Any) -> Module:
    ports = [
        {
            "name": name,
            "direction": "input" if member.flow == In else "output",
            "width": Shape.cast(member.shape).width,
        }
        for (name,), member, _ in component.signature.flatten(component)
    ]
    return Module(module, Emission(module).verilog(component), ports)


@pytest.mark.slow
def test_multiplier(checks: Callable[[int], None]) -> None:
    checks(
        run_bench(
            [
                multiplier(f"multiplier_{name}", ShiftAddMultiplier(named_format(name)))
                for name in NAMES
            ],
            "multiplier",
            seed=SEED,
            name="multipliers",
            parameters={"formats": NAMES},
        )
    )
