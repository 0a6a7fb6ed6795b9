"""The emitted parts of the matrix engine in a simulator."""

from collections.abc import Callable

import pytest

from sim_tb.hdl.part_cases import CASES
from sim_tb.rtl.runner import emitted, run_bench

SEED = 41


@pytest.mark.every(64)
@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_part(name: str, checks: Callable[[int], None]) -> None:
    module = emitted(f"part_{name}", CASES[name].component())
    checks(run_bench(module, "part", seed=SEED, parameters={"case": name}))
