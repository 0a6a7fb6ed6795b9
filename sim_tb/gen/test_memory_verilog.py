"""Emitted parts around a scratchpad by themselves, in the tools of others."""

import shutil
from pathlib import Path

import pytest

from gen.verilog.emission import Emission
from sim_tb.gen.test_verilog import lint_with_icarus, lint_with_slang, lint_with_verilator
from sim_tb.hdl.memory_cases import memory_cases

CASES = memory_cases()


@pytest.mark.every(80)
@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_part_in_all_tools(name: str, tmp_path: Path) -> None:
    """None of them warns of anything."""
    file = tmp_path / f"{name}.v"
    file.write_text(Emission(name).verilog(CASES[name].component()))
    lint_with_verilator(name, file.name, tmp_path)
    lint_with_slang(file)
    if shutil.which("iverilog"):
        lint_with_icarus(name, file.name, tmp_path)
