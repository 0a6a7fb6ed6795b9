"""Emitted tensor cores in a simulator, against the golden products."""

import re
import shutil
from collections.abc import Callable
from typing import Any

import pytest

from gen.design.configuration import TENSOR_CORES, Configuration
from gen.verilog.generate import generate
from golden import NAMED_FORMATS
from sim_tb.rtl.runner import run_bench

SEED = 12
BASELINES = ("8x8", "2x8x8", "2x4x8")
every_core = pytest.mark.parametrize("top", TENSOR_CORES)


def core(top: str, rows: int, cols: int, pairs: int, pe: str = "sparq", **options: Any) -> Any:
    return Configuration(top=top, rows=rows, cols=cols, pairs=pairs, pe=pe, **options)


CORES: list[Configuration] = [
    core("tensor_core", 2, 2, 2),
    core("sparse_tensor_core", 1, 2, 2, pipeline=1),
    *(core(top, 2, 1, 2, format="3opt", group=4, vsparq=False) for top in TENSOR_CORES),
    *(
        core(top, 2, 1, 2, pe, pipeline=pipeline)
        for top in TENSOR_CORES
        for pipeline, pe in enumerate(BASELINES)
    ),
    *(core(top, 1, 2, 2, style="behavioral", pipeline=3) for top in TENSOR_CORES),
    core("tensor_core", 2, 1, 2, format="s4opt", group=2, vsparq=False),
    core("sparse_tensor_core", 1, 2, 2, format="s4opt", group=4, vsparq=False, pipeline=1),
    *(core(top, 2, 1, 2, format="s5opt", pipeline=2) for top in TENSOR_CORES),
]
SWEEP: list[Configuration] = [
    *(core(top, 2, 3, 4) for top in TENSOR_CORES),
    core("tensor_core", 3, 1, 2, format="2opt", group=16, vsparq=False, pipeline=1),
    core("sparse_tensor_core", 1, 2, 3, format="7opt", weight_bits=3, acc_bits=20),
    *(
        core(top, 4, 4, pairs, pe)
        for top in TENSOR_CORES
        for pairs in (2, 4)
        for pe in ("sparq", *BASELINES)
    ),
    *(
        core(top, 2, 2, 2, pe, weight_bits=bits, acc_bits=24, pipeline=bits % 3)
        for top in TENSOR_CORES
        for pe in ("sparq", *BASELINES)
        for bits in (2, 5)
    ),
    *(
        core(top, 2, 3, 2, format=name, rounding=vsparq, vsparq=vsparq, group=group)
        for top in TENSOR_CORES
        for name in NAMED_FORMATS
        for vsparq in (True, False)
        for group in (1, 4)
    ),
    *(
        core("tensor_core", 2, 2, pairs, group=group, vsparq=vsparq, pipeline=pairs % 3)
        for pairs in (1, 4)
        for group in (8, 16)
        for vsparq in (True, False)
    ),
    *(core(top, 1, 1, 16) for top in TENSOR_CORES),
    *(
        core(top, 2, 2, 2, pe, style="behavioral", pipeline=pipeline)
        for top in TENSOR_CORES
        for pipeline, pe in enumerate(BASELINES)
    ),
    *(
        core(top, 2, 1, 2, format="3opt", group=4, vsparq=False, style="behavioral")
        for top in TENSOR_CORES
    ),
    core("tensor_core", 1, 1, 1, "8x8"),
    core("sparse_tensor_core", 1, 1, 1, "2x8x8"),
    core("tensor_core", 9, 2, 1),
    core("tensor_core", 1, 7, 3),
]


@pytest.mark.every(12)
@pytest.mark.slow
@pytest.mark.parametrize("configuration", CORES, ids=lambda c: c.name)
def test_tensor_core(configuration: Configuration, checks: Callable[[int], None]) -> None:
    checks(run_bench(configuration, "array", seed=SEED))


@pytest.mark.full
@pytest.mark.parametrize("configuration", SWEEP, ids=lambda c: c.name)
def test_tensor_core_full(configuration: Configuration, checks: Callable[[int], None]) -> None:
    checks(run_bench(configuration, "array", seed=SEED))


@every_core
def test_no_combinational_block(top: str) -> None:
    """Icarus never evaluates ``always @*`` while its inputs do not change, and reads X for ever."""
    text = generate(core(top, 2, 2, 2)).verilog
    assert re.search(r"always\s*@\s*(\*|\(\s*\*\s*\))", text) is None
    assert re.search(r"\bdummy|\binitial _", text) is None


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("iverilog") is None, reason="iverilog is not installed")
@every_core
def test_known_after_reset_in_icarus(top: str, checks: Callable[[int], None]) -> None:
    configuration = core(top, 2, 2, 2)
    checks(
        run_bench(
            configuration, "array", seed=SEED, testcase="known_after_reset", simulator="icarus"
        )
    )
