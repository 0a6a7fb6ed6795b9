"""Loads and stores of lines in a simulator, with an AXI4 memory of others' making."""

from collections.abc import Callable

import pytest

from sim_tb.rtl.line_system import SYSTEMS, LineSystem
from sim_tb.rtl.runner import emitted, run_bench

SEED = 51


@pytest.mark.full
@pytest.mark.parametrize("name", SYSTEMS)
def test_lines(name: str, checks: Callable[[int], None]) -> None:
    module = emitted(f"line_system_{name}", LineSystem(SYSTEMS[name]))
    checks(run_bench(module, "memory", seed=SEED, parameters={"system": name}))
