"""Emitted encoders in a simulator: every pair in every format."""

from collections.abc import Callable
from itertools import product

from gen.configuration import Configuration
from golden import NAMED_FORMATS
from sim_tb.runner import module_of, run_bench

MODES = list(product(NAMED_FORMATS, (True, False), (True, False)))


def test_encoder(checks: Callable[[int], None]) -> None:
    modules = [
        module_of(Configuration(top="encoder", format=name, rounding=rounding, vsparq=vsparq))
        for name, rounding, vsparq in MODES
    ]
    checks(run_bench(modules, "encoder", seed=0, name="encoders", parameters={"formats": MODES}))
