"""Parts of the accelerator in Amaranth's own simulator, against their models."""

from typing import Any

import pytest

from sim_tb.hdl.accelerator_cases import accelerator_cases
from sim_tb.hdl.part_case import STALLS
from sim_tb.hdl.part_cases import CASES
from sim_tb.hdl.parts import compare, run_part
from sim_tb.hdl.pysim import SEED

NAMES = list(accelerator_cases())


@pytest.mark.every(3)
@pytest.mark.parametrize("rates", [*zip(STALLS, STALLS[::-1], strict=True)], ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_part_is_its_model(name: str, rates: tuple[float, float], checks: Any) -> None:
    """In every cycle: outputs, and when they come."""
    cycles = CASES[name].cycles(SEED, *rates)
    checks(compare(name, SEED, cycles, run_part(name, cycles)))


@pytest.mark.every(4)
@pytest.mark.parametrize("name", NAMES)
def test_resets(name: str, checks: Any) -> None:
    """What is held is lost, and nothing else."""
    seed = SEED + 1
    cycles = CASES[name].cycles(seed, 0.2, 0.3, resets=0.03)
    assert any(own.given["rst"] for own in cycles)
    checks(compare(name, seed, cycles, run_part(name, cycles)))
