"""Designs on an FPGA: the ring around them, the registers of multipliers, the whole flow."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from rich.progress import Progress

from gen.design.configuration import Configuration
from gen.fpga.designs import DESIGNS, Design
from gen.fpga.flow import identity
from gen.fpga.measure import beside_others, measure
from gen.fpga.multiplier_registers import OUTPUT_REGISTER, use_multiplier_registers
from gen.fpga.ring import register_ring
from gen.tools.ecp5 import run_yosys
from support.errors import ToolError

NARROW = {"top": "pe", "pe": "8x8", "weight_bits": 2, "pipeline": 2, "style": "behavioral"}
SMALL = Configuration(**NARROW, acc_bits=11)


def test_designs_are_named_by_what_they_are() -> None:
    assert all(name == design.name for name, design in DESIGNS.items())
    assert len({(d.configuration.name, d.multipliers) for d in DESIGNS.values()}) == len(DESIGNS)
    assert DESIGNS["2x8x8_4x4"].macs_per_cycle == 32
    assert not DESIGNS["5opt_8x8_luts"].multipliers
    assert DESIGNS["8x8_engine_11x11"].macs_per_cycle == 121
    kinds = {"", "_luts", "_structural", "_4x4", "_4x4_luts", "_8x8", "_8x8_luts"}
    engines = {"_engine_4x4", "_engine_8x8"}
    signed = [
        f"{name}{kind}"
        for name, own in (("s5opt", kinds | engines), ("s5opt_group2", kinds))
        for kind in own
    ]
    assert set(signed) <= set(DESIGNS)
    formats = {name: design.configuration.format for name, design in DESIGNS.items()}
    found = {name for name, fmt in formats.items() if fmt and fmt.sparq_format.signed}
    assert found == set(signed)


def test_engines_and_accelerators_are_placed_once() -> None:
    assert DESIGNS["5opt_8x8"].placed_with((4, 5)) == (4, 5)
    for name in ("5opt_engine_8x8", "8x8_accelerator_8x8"):
        assert DESIGNS[name].placed_with((4, 5)) == (4,)


def test_ring_drives_and_reads_every_bit_once() -> None:
    ports = [
        {"name": "clk", "direction": "input", "width": 1},
        {"name": "a", "direction": "input", "width": 3},
        {"name": "y", "direction": "output", "width": 4},
        {"name": "b", "direction": "input", "width": 1},
        {"name": "z", "direction": "output", "width": 2},
    ]
    ring = register_ring("design", ports)
    assert (ring.luts, ring.flip_flops) == (5, 4 + 12)
    connections = dict(re.findall(r"\.(\w+)\(([^()]+)\)", ring.verilog))
    assert connections == {
        "clk": "clk",
        "a": "drive[2:0]",
        "b": "drive[3:3]",
        "y": "result[3:0]",
        "z": "result[5:4]",
    }


def netlist(**changes: Any) -> dict[str, Any]:
    """A multiplier whose product of two bits goes into two flip-flops, one of them changed."""
    directions = {"CLK": "input", "DI": "input", "LSR": "input", "Q": "output"}
    registers: dict[str, Any] = {
        f"register{bit}": {
            "type": "TRELLIS_FF",
            "parameters": {"CEMUX": "1 "},
            "port_directions": dict(directions),
            "connections": {"CLK": [2], "DI": [10 + bit], "LSR": ["0"], "Q": [20 + bit]},
        }
        for bit in range(2)
    }
    for key, value in changes.items():
        registers["register1"]["parameters" if key == "CEMUX" else "connections"][key] = value
    multiplier = {
        "type": "MULT18X18D",
        "parameters": {},
        "port_directions": {"A0": "input", "P0": "output", "P1": "output", "P2": "output"},
        "connections": {"A0": [5], "P0": [10], "P1": [11], "P2": [12]},
    }
    ports = {"y": {"direction": "output", "bits": [20, 21]}}
    return {"ports": ports, "cells": {"multiplier": multiplier, **registers}}


def test_registers_of_a_product_are_the_multipliers() -> None:
    module = netlist()
    assert use_multiplier_registers(module) == 2
    (multiplier,) = module["cells"].values()
    assert multiplier["parameters"] == OUTPUT_REGISTER
    pins = multiplier["connections"]
    assert [pins[name] for name in ("P0", "P1", "P2", "CLK0")] == [[20], [21], [12], [2]]


@pytest.mark.parametrize(
    "changes", [{"CEMUX": "CE"}, {"LSR": [7]}, {"CLK": [3]}, {"DI": [10]}], ids=str
)
def test_registers_that_a_multiplier_has_not(changes: dict[str, Any]) -> None:
    """An enable, a reset, another clock, or a bit of the product that is read by two."""
    module = netlist(**changes)
    before = str(module["cells"])
    if "DI" in changes:
        module["ports"]["x"] = {"direction": "output", "bits": [11]}
        before = str(module["cells"])
    assert use_multiplier_registers(module) == 0
    assert str(module["cells"]) == before


def in_turn(
    function: Callable[..., Any], tasks: Sequence[tuple[Any, ...]], on_done: Callable[[], None]
) -> list[Any]:
    """As ``run_tasks``, in this process."""
    return [function(*task) for task in tasks]


@pytest.mark.full
def test_a_small_element_is_placed(tmp_path: Path, monkeypatch: Any) -> None:
    """With a multiplier, whose registers are its own, and without; once of the same netlist."""
    designs = [Design("dsp", SMALL), Design("luts", SMALL, multipliers=False)]
    result = measure(designs, Progress(disable=True), (1,), tmp_path)
    with_multiplier, without = result["rows"]
    assert (with_multiplier["multipliers"], without["multipliers"]) == (1, 0)
    # Last, drain, operands, what is pending, the accumulator and the result, as Yosys merges them.
    registers = 2 + (8 + 2) + 10 + 11 + 11
    assert with_multiplier["flip_flops"] == registers
    assert without["flip_flops"] == registers + 10
    assert 20 < with_multiplier["luts"] < without["luts"] < 200
    for row in result["rows"]:
        assert row["mhz_of_seeds"] == [row["mhz"]]
        assert row["mhz"] > 50
        assert row["block_rams"] == row["distributed_rams"] == 0

    def refuse(*arguments: Any) -> None:
        raise ToolError("run again")

    for tool in ("run_yosys", "run_nextpnr"):
        monkeypatch.setattr(f"gen.fpga.flow.{tool}", refuse)
    monkeypatch.setattr("gen.fpga.measure.run_tasks", in_turn)
    assert measure(designs, Progress(disable=True), (1,), tmp_path) == result
    with pytest.raises(ToolError, match=r"^run again$"):
        measure(designs, Progress(disable=True), (2,), tmp_path)


def test_results_are_kept_beside_those_of_other_designs() -> None:
    small = Design("small", SMALL)
    other = Design("other", Configuration(**NARROW, acc_bits=12))
    designs = {"other": other, "small": small}
    assert identity(small) == identity(Design("called otherwise", SMALL))
    assert len({identity(small), identity(other), identity(Design("", SMALL, False))}) == 3

    def row(name: str, mhz: int, **changes: Any) -> dict[str, Any]:
        return {"name": name, "mhz": mhz, "identity": identity(designs[name])} | changes

    kept = [row("small", 1), row("other", 2), {"name": "gone", "identity": ""}]
    result = {"device": "85k", "rows": [row("small", 3)]}
    joined = beside_others(result, kept, designs)
    assert joined == {"device": "85k", "rows": [row("other", 2), row("small", 3)]}
    kept = [row("other", 2, identity="of another Verilog")]
    assert beside_others(result, kept, designs) == result


def test_an_error_of_the_tools_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match=r"^the ECP5 tools failed in [^\n]*absent") as caught:
        run_yosys(["read_verilog absent.v"], tmp_path)
    assert "\n" not in str(caught.value)
