"""Emitted register files in a simulator, with an AXI4-Lite master of others, and with any."""

from collections.abc import Callable

import pytest

from gen.verilog.emission import Emission
from hdl.bus.register_file import RegisterFile
from sim_tb.hdl.register_maps import TABLES
from sim_tb.rtl.runner import Module, run_bench

SEED = 31


@pytest.mark.every(4)
@pytest.mark.slow
@pytest.mark.parametrize("table", [*TABLES][::-1])
def test_register_file(table: str, checks: Callable[[int], None]) -> None:
    name = f"{table}_registers"
    verilog = Emission(name).verilog(RegisterFile(TABLES[table]()))
    module = Module(name, verilog, [])
    checks(run_bench(module, "registers", seed=SEED, parameters={"table": table}))
