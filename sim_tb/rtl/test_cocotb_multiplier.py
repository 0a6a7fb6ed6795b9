"""Emitted multipliers in a simulator: every product of a lane in every format."""

from collections.abc import Callable

import pytest

from golden import NAMED_FORMATS, named_format
from hdl.multiplier.shift_add_multiplier import ShiftAddMultiplier
from sim_tb.rtl.runner import emitted, run_bench

SEED = 3
NAMES = list(NAMED_FORMATS)


@pytest.mark.slow
def test_multiplier(checks: Callable[[int], None]) -> None:
    checks(
        run_bench(
            [
                emitted(f"multiplier_{name}", ShiftAddMultiplier(named_format(name)))
                for name in NAMES
            ],
            "multiplier",
            seed=SEED,
            name="multipliers",
            parameters={"formats": NAMES},
        )
    )
