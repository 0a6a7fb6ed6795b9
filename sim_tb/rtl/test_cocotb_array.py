"""Emitted arrays in a simulator, against the golden products."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gen.design.configuration import Configuration
from gen.library.load import load_library
from gen.synthesis.mapping import RECIPES, map_verilog
from gen.tools.yosys import run_yosys
from gen.verilog.generate import generate
from golden import NAMED_FORMATS
from hdl.element.processing_elements import PROCESSING_ELEMENTS
from sim_tb.rtl.runner import run_bench

SEED = 11


def array(rows: int, cols: int, pe: str = "sparq", **options: Any) -> Configuration:
    return Configuration(rows=rows, cols=cols, pe=pe, **options)


ARRAYS = [
    array(1, 1),
    array(4, 1, "8x8"),
    array(2, 4, format="2opt", vsparq=False),
    array(2, 3, format="3opt", vsparq=False, group=2),
    array(3, 2, group=4),
    array(3, 2, "2x8x8"),
    array(2, 2, "2x4x8"),
    array(2, 3, format="7opt", rounding=False),
    array(2, 2, weight_bits=4, acc_bits=24),
    array(2, 3, "8x8", weight_bits=5, pipeline=2),
    array(3, 2, "2x8x8", weight_bits=3, acc_bits=20, pipeline=1),
    array(2, 3, pipeline=1),
    array(2, 1, vsparq=False, group=4, pipeline=2),
    *(array(2, 2, pe, style="behavioral", pipeline=3) for pe in ("sparq", "2x8x8", "8x8")),
    array(2, 3, format="s4opt", vsparq=False, group=2),
    array(3, 2, format="s5opt", encoded_input=True, pipeline=2),
    array(2, 2, format="s5opt", group=4),
    array(2, 2, format="s4opt", rounding=False, style="behavioral"),
]
SWEEP = [
    array(8, 8),
    *(array(8, 8, pe) for pe in PROCESSING_ELEMENTS if pe != "sparq"),
    *(array(4, 3, pe, pipeline=p) for pe in PROCESSING_ELEMENTS for p in (1, 2)),
    *(array(2, 3, pe, weight_bits=3) for pe in PROCESSING_ELEMENTS if pe != "sparq"),
    *(array(1, 1, pe, weight_bits=2, acc_bits=11, pipeline=1) for pe in ("8x8", "2x8x8")),
    array(1, 5, format="3opt"),
    array(13, 7),
    array(16, 16),
    array(16, 16, "8x8"),
    *(array(2, 2, weight_bits=bits) for bits in (2, 3, 5, 6, 7)),
    *(
        array(3, 2, format=name, rounding=vsparq, vsparq=vsparq, group=group)
        for group in (2, 4, 8, 16)
        for name in NAMED_FORMATS
        for vsparq in (True, False)
    ),
    *(
        array(3, 4, format=name, rounding=rounding, vsparq=vsparq)
        for name in NAMED_FORMATS
        for rounding in (True, False)
        for vsparq in (True, False)
    ),
    *(
        array(3, 2, pe, style="behavioral", weight_bits=8 - pipeline, pipeline=pipeline)
        for pe in PROCESSING_ELEMENTS
        for pipeline in (0, 1, 2, 3)
    ),
    *(
        array(2, 3, format=name, vsparq=False, group=group, style="behavioral")
        for name in NAMED_FORMATS
        for group in (1, 2, 4)
    ),
]


@pytest.mark.every(12)
@pytest.mark.slow
@pytest.mark.parametrize("configuration", ARRAYS, ids=lambda c: c.name)
def test_array(configuration: Configuration, checks: Callable[[int], None]) -> None:
    checks(run_bench(configuration, "array", seed=SEED))


@pytest.mark.full
@pytest.mark.parametrize("configuration", SWEEP, ids=lambda c: c.name)
def test_array_full(configuration: Configuration, checks: Callable[[int], None]) -> None:
    checks(run_bench(configuration, "array", seed=SEED))


@pytest.mark.full
@pytest.mark.parametrize(
    "configuration",
    [array(2, 3), array(2, 2, "2x8x8", pipeline=1), array(3, 2, vsparq=False, group=2)],
    ids=lambda c: c.name,
)
def test_gate_level_full(
    configuration: Configuration, tmp_path: Path, checks: Callable[[int], None]
) -> None:
    """The mapped netlist, with the library's cells as Yosys reads them."""
    library = load_library("generic", tmp_path)
    verilog = generate(configuration).verilog
    (mapped,) = map_verilog(verilog, configuration.name, library, RECIPES[:1])
    netlist, gates = tmp_path / "netlist.v", tmp_path / "gates.v"
    netlist.write_text(mapped.verilog)
    commands = [f"read_liberty {library.path}", f"read_verilog {netlist}"]
    commands += [f"hierarchy -check -top {configuration.name}", f"write_verilog -noattr {gates}"]
    run_yosys(commands)
    checks(run_bench(configuration, "array", seed=SEED, netlist=gates.read_text()))


@pytest.mark.parametrize(
    "configuration",
    [array(3, 2), array(2, 2, "8x8"), Configuration(top="pe")],
    ids=lambda c: c.name,
)
def test_no_combinational_block(configuration: Configuration) -> None:
    """Icarus never evaluates ``always @*`` while its inputs do not change, and reads X for ever."""
    text = generate(configuration).verilog
    assert re.search(r"always\s*@\s*(\*|\(\s*\*\s*\))", text) is None
    assert "$auto$verilog_backend" not in text
    assert re.search(r"\bdummy|\binitial _", text) is None


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("iverilog") is None, reason="iverilog is not installed")
def test_known_after_reset_in_icarus(checks: Callable[[int], None]) -> None:
    checks(
        run_bench(array(3, 2), "array", seed=SEED, testcase="known_after_reset", simulator="icarus")
    )
