# amaranth: UnusedElaboratable=no
# Machines are asked what they are made of, and not all are elaborated.
"""The measurement: units mapped, verified and compared."""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click import ClickException
from click.testing import CliRunner

from gen.cli import cli
from gen.commands.terminal import progress_bar
from gen.design.configuration import Configuration, ConfigurationError
from gen.design.expectation import (
    MismatchError,
    expected_product,
    expected_products,
    random_matrices,
)
from gen.library.errors import LibraryError
from gen.library.load import load_library
from gen.netlist.netlist import parse_netlist
from gen.netlist.simulation import Simulator
from gen.synthesis.area import run_area
from gen.synthesis.area_report import SHOWN, area_grids
from gen.synthesis.energy import LANES, Operands, work
from gen.synthesis.equivalence import require_equivalence
from gen.synthesis.mapped import Candidate, Size, choose
from gen.synthesis.mapping import RECIPES, MappingError, Recipe, link, map_quickly, map_verilog
from gen.synthesis.measure import Checked, Workshop
from gen.synthesis.memories import WithoutMemories, without_memories
from gen.synthesis.parts import (
    below,
    boxed,
    count_parts,
    placed,
    ports,
    renamed,
    without_outputs,
)
from gen.synthesis.selection import select
from gen.synthesis.systems import OPEN_MODULES, system_parts, system_rows
from gen.synthesis.units import Unit, exact_unit, sparq_unit
from gen.synthesis.verification import VECTORS, verify_array, verify_requantizer
from gen.verilog.emission import Emission
from hdl.engine.requantizer_lane import RequantizerLane
from hdl.stream.stream_fifo import StreamFifo
from hdl.stream.stream_register import StreamRegister
from support.files import OutputError


def candidate(area: float, delay: float) -> Candidate:
    return Candidate("plain", area, delay, "", 1, 1, "", {})


def test_the_smallest_that_meets_the_target() -> None:
    small, quick, quickest = candidate(5, 9), candidate(7, 4), candidate(8, 3)
    assert choose([quickest, small, quick], 9) is small
    assert choose([quickest, small, quick], 5) is quick
    assert choose([quickest, small, quick], 2) is quickest  # none meets it: the row says so


@pytest.mark.slow
def test_parts_of_an_array() -> None:
    """What a machine is made of, counted as its own text says."""
    emission = Emission("unit")
    verilog = emission.verilog(sparq_unit("array", "5opt", rows=3, cols=2).component())
    counts = count_parts(verilog, "unit", emission.parts)
    assert counts["unit_pe"] == 6
    assert counts["unit_row_bias"] == counts["unit_activation_lane"] == 3
    assert counts["unit_column_correction"] == counts["unit_weight_lane"] == 2
    assert counts["unit_delay_1x16b_by_1"] == 3 + 1  # rows late by 1 and 2, a column by 1
    modules = set(re.findall(r"^module (\w+)", below(verilog, "unit_pe"), re.MULTILINE))
    assert {"unit_pe", "unit_full_adder"} <= modules
    assert modules.isdisjoint({"unit", "unit_activation_lane", "unit_row_bias"})
    assert boxed(verilog, counts).count("(* blackbox *)") == len(counts)


@pytest.mark.every(1)
@pytest.mark.parametrize(
    "unit",
    [
        exact_unit("array", "8x8", "booth", rows=5, cols=3),
        exact_unit("array", "2x4x8", "distributed", rows=3, cols=4),
        sparq_unit("array", "3opt", vsparq=False, group=8, rows=3, cols=4),
        exact_unit("tensor_core", "8x8", "booth", pairs=1, rows=3, cols=2),
        sparq_unit("tensor_core", "5opt", vsparq=False, group=8, pairs=2, rows=2, cols=3),
        exact_unit("sparse_tensor_core", "2x8x8", "booth", pairs=2, rows=2, cols=2),
        sparq_unit("sparse_tensor_core", "5opt", pairs=2, rows=2, cols=2),
        sparq_unit("array", "s5opt", rows=2, cols=3),
    ],
    ids=lambda unit: f"{unit.unit}-{unit.label}".replace(" ", "-"),
)
def test_nothing_is_between_the_parts_of_a_machine(unit: Unit) -> None:
    """And what is there is found, and not left out."""
    emission = Emission("unit")
    verilog = emission.verilog(unit.component())
    counts = count_parts(verilog, "unit", emission.parts)
    kind = "pe" if unit.unit == "array" else "dot_product_unit"
    assert counts[f"unit_{kind}"] == (unit.rows or 0) * (unit.cols or 0)
    for part in counts:
        others = [other for other in emission.parts if other != part]
        with pytest.raises(ValueError, match=rf"^{part}\w* is between a machine and its parts"):
            count_parts(verilog, "unit", others)


@pytest.mark.every(1)
@pytest.mark.parametrize("kind", ["array", "tensor_core", "sparse_tensor_core"])
def test_parts_of_a_machine_of_other_rows(kind: str) -> None:
    """All are the same but those that are declared to count rows, and those are not."""
    pairs: dict[str, Any] = {} if kind == "array" else {"pairs": 2}
    found = []
    for rows in (3, 5):
        emission = Emission("unit")
        unit = sparq_unit(kind, "3opt", rows=rows, cols=2, **pairs)
        verilog = emission.verilog(unit.component())
        parts = {part: below(verilog, part) for part in emission.parts}
        counting = {part: parts.pop(part) for part in emission.parts_counting_rows}
        assert counting
        found.append((parts, counting))
    (parts, counting), (other_parts, other_counting) = found
    assert parts == other_parts
    assert not set(counting.values()) & set(other_counting.values())


def test_what_stands_in_an_engine() -> None:
    """Modules that are not opened hide what stands in them."""
    verilog = exact_unit("engine", "8x8", "radix4", rows=2, cols=2).verilog("unit")
    assert {("core", "unit_gemm_core"), ("registers", "unit_sparq_engine_register_file")} <= {
        *placed(verilog, "unit", ())
    }
    assert not any(name == "machine" for name, _ in placed(verilog, "unit", ()))
    names = [name for name, _ in placed(verilog, "unit", OPEN_MODULES)]
    own = ("output_stage.lane_0", "output_stage.lane_1", "machine", "results", "walk")
    assert {f"core.{name}" for name in own} <= {*names}
    assert len(names) == len(set(names))


class Counted(Workshop):
    """Maps nothing: all logic is one cell, and what is in a part counts as bits, a module each."""

    multiplies: bool
    """Whether the lanes of the vector unit did."""

    def best(self, unit: Unit, target_ps: float) -> Candidate:
        assert unit == replace(unit, unit="array", multiplies=True)
        return candidate(1, 1)

    def logic(self, verilog: str, part: str, target_ps: float) -> tuple[Candidate, WithoutMemories]:
        text = below(verilog, part)
        if part == "unit_vector_lane":
            self.multiplies = " * " in text
        return candidate(1, 1), WithoutMemories("", text.count("endmodule"))

    def around(self, verilog: str, top: str) -> Size:
        return Size(1, 1, 0)

    def check(self, unit: Unit, candidate: Candidate, operands: Sequence[Operands]) -> Checked:
        return Checked(VECTORS, False, {})

    def check_requantizer(self, candidate: Candidate) -> int:
        return VECTORS

    def prove(self, verilog: str, candidate: Candidate, label: str) -> None:
        assert label


@pytest.mark.slow
@pytest.mark.parametrize("multiplies", [True, False])
def test_what_stands_in_an_accelerator(multiplies: bool, tmp_path: Path) -> None:
    """Each part as often as it is placed; those of one name after what they stand in."""
    unit = sparq_unit("accelerator", "5opt", rows=4, cols=6)
    unit = replace(unit, multiplies=multiplies)
    workshop = Counted("generic", tmp_path)
    parts = system_parts(workshop, unit, 1e6)
    assert workshop.multiplies == multiplies
    counts = {part.name: part.count for part in parts}
    assert len(counts) == len(parts)
    assert counts["output_stage.lane"] == 6
    assert counts["vector.lane"] == 4 * 2
    assert counts["requantizer"] == 4
    once = {
        *("core.walk", "patch_reader.walk", "patch_reader", "turner", "vector", "writer", "router"),
        *("program_reader", "memory_reader", "memory_writer", "scratchpad", "registers"),
    }
    assert all(counts[name] == 1 for name in once)
    named = {part.name: part for part in parts}
    around = ("accelerator", "compute", "core", "output_stage", "patch_reader", "vector")
    assert {part.name for part in parts if part.delay_ps is None} == {*around}
    assert {name for name, part in named.items() if part.verified_vectors} == {
        *("machine", "output_stage.lane", "requantizer"),
    }
    whole, *rows = system_rows(unit, parts, 1e6, 2.0, None)
    assert whole["multiplies"] == multiplies
    assert whole["area"] == sum(counts.values())
    assert whole["memory_bits"] == sum(row["count"] * row["memory_bits"] for row in rows)
    assert whole["macs_per_cycle"] == 2 * 4 * 6


def test_names_that_are_words_of_verilog() -> None:
    """They are escaped, and a space ends them: as ports, nets, and in what is assigned."""
    text = """module top(input [7:0] \\byte , output reg \\end = 1'h0);
      wire \\a.end ;
      assign \\a.end = \\byte [0];
      always @(posedge clk) begin
        \\end <= \\a.end ;
      end
    endmodule"""
    assert ports(text, "top") == (["\\byte"], ["\\end"])
    lines = renamed(text, "top", "unit").splitlines()
    assert lines[0] == "module unit(\\byte , \\end );"
    assert "  assign \\a.end = \\byte [0];" in lines
    assert " ".join(lines[-4:]).split()[-6:] == ["\\end", "<=", "\\a.end", ";", "end", "endmodule"]
    assert renamed("\n".join(lines), "unit", "top") == renamed(text, "top", "top")


def test_memories_are_cut_out() -> None:
    """Their bits are counted, their pins and the registers behind read ports are outside."""
    verilog = Emission("unit").verilog(StreamFifo(5, 9))
    cut = without_memories(verilog, "unit")
    assert cut.memory_bits == 5 * 8
    assert "storage.RD_DATA" in cut.verilog
    registers = re.findall(r"^  reg (?:\[(\d+):0\] )?", cut.verilog, re.MULTILINE)
    # The level, both addresses, and whether a word is offered; no word.
    assert sum(int(high or 0) + 1 for high in registers) == 4 + 3 + 3 + 1
    assert without_memories(verilog, "unit") == cut
    plain = Emission("unit").verilog(StreamRegister(3))
    assert without_memories(plain, "unit") == (plain, 0)
    with pytest.raises(LibraryError, match=r"^Yosys cannot cut memories: syntax error"):
        without_memories("module unit(;", "unit")


TINY: dict[str, Any] = {"rows": 1, "cols": 1, "weight_bits": 2}


@pytest.mark.full
@pytest.mark.parametrize(
    "unit",
    [
        exact_unit("engine", "8x8", "and", acc_bits=11, **TINY),
        sparq_unit("engine", "s5opt", acc_bits=12, **TINY),
    ],
    ids=lambda unit: unit.label,
)
def test_an_engine_is_the_sum_of_its_parts(unit: Unit, tmp_path: Path) -> None:
    """By one recipe, for speed; its array is that of the table, and what is verified is said."""
    workshop = Workshop("generic", tmp_path, RECIPES[1:2])
    parts, macs = system_parts(workshop, unit, 1e6), unit.macs_per_cycle or 0
    named = {part.name: part for part in parts}
    array = workshop.best(replace(unit, unit="array"), 1e6)
    assert named["machine"].size == array.size
    assert named["weight_buffer"].memory_bits == 2 * 256 * 2 * macs
    assert named["parameter_buffer"].memory_bits == 2 * 96
    assert not named["lane"].memory_bits
    assert all((named[name].verified_vectors or 0) >= VECTORS for name in ("lane", "machine"))
    around = ("engine", "core", "output_stage")
    assert {part.name for part in parts if part.delay_ps is None} == {*around}
    others = {*named} - {*around, "lane", "machine"}
    assert all(named[name].proved_equal for name in others)
    whole, *rows = system_rows(unit, parts, 1e6, workshop.library.nand2_area, None)
    assert [row["part"] for row in rows] == [part.name for part in parts]
    assert whole["area"] == pytest.approx(sum(row["count"] * row["area"] for row in rows), abs=1)
    assert whole["memory_bits"] == sum(row["count"] * row["memory_bits"] for row in rows)
    assert sum(row["share"] for row in rows) == pytest.approx(1, abs=0.01)
    assert whole["area_per_mac"] == pytest.approx(whole["area"] / macs, abs=0.01)
    assert whole["delay_ps"] is None
    assert whole["meets_target"] is None


@pytest.mark.full
def test_a_changed_requantizer_is_a_mismatch(tmp_path: Path) -> None:
    library = load_library("generic", tmp_path)
    verilog = Emission("unit").verilog(RequantizerLane())
    netlist = map_quickly(verilog, "unit", library).json
    assert verify_requantizer(parse_netlist(netlist, library), library) >= VECTORS
    for cell, other in (("NAND2", "NOR2"), ("XOR2", "XNOR2")):
        first, name, rest = netlist.partition(f'"type": "{cell}"')
        assert name
        changed = parse_netlist(f'{first}"type": "{other}"{rest}', library)
        with pytest.raises(MismatchError, match=r"^netlist of a requantizer lane differs from gol"):
            verify_requantizer(changed, library)


def test_other_text_is_no_design() -> None:
    with pytest.raises(ValueError, match="not a module with a list of ports: 'module m #"):
        below("module m #(parameter N = 1) (a); input a; endmodule", "m")
    with pytest.raises(ValueError, match="module m has a statement without an end: 'begin x = 1'"):
        below("module m(a); input a; begin x = 1 endmodule", "m")


@pytest.mark.parametrize("name", ["5opt", "s4opt"])
def test_what_a_sparse_unit_must_compute(name: str) -> None:
    """Of stacks of matrices what golden says of each, whatever activations the format takes."""
    unit = Configuration(top="sparse_tensor_core", format=name, pairs=2)
    rng = np.random.default_rng(3)
    operands = [random_matrices(unit, 2, 16, 3, rng) for _ in range(4)]
    x, w = (np.stack([getattr(each, name) for each in operands]) for name in ("x", "w"))
    for found, each in zip(expected_products(unit.mac, x, w), operands, strict=True):
        np.testing.assert_array_equal(found, expected_product(unit, *each))


@pytest.mark.every(6)
@pytest.mark.slow
@pytest.mark.parametrize(
    "unit",
    [
        exact_unit("pe", "8x8", "radix4"),
        sparq_unit("pe", "3opt", weight_bits=5, acc_bits=20, pipeline=1),
        sparq_unit("dot_product", "5opt", vsparq=False, group=4, pairs=2),
        exact_unit("sparse_tensor_core", "2x8x8", "booth", pairs=1, rows=2, cols=2),
        sparq_unit("sparse_tensor_core", "5opt", pairs=2, rows=2, cols=2),
        sparq_unit("encoder", "2opt", rounding=False),
        sparq_unit("sparse_tensor_core", "s4opt", pairs=2, rows=2, cols=2),
    ],
    ids=lambda unit: unit.label.replace(" ", "-"),
)
def test_netlists_equal_golden(unit: Unit, tmp_path: Path) -> None:
    """By one recipe, for speed."""
    workshop = Workshop("generic", tmp_path, RECIPES[1:2])
    found = workshop.best(unit, 1e6)
    checked = workshop.check(unit, found, [])
    assert checked.verified_vectors >= min(VECTORS, 1 << 16)
    assert checked.proved_equal == (unit.unit in ("pe", "encoder"))
    assert found.area > 0
    assert workshop.check(unit, found, []) == checked  # from the cache


@pytest.mark.full
@pytest.mark.parametrize("unit", ["array", "tensor_core"])
def test_a_machine_of_more_rows_is_verified_as_one_of_fewer(unit: str, tmp_path: Path) -> None:
    """The parts of 64 x 64 in 16 rows, with control of their own; parts alike are verified once."""
    options: dict[str, Any] = {"weight_bits": 2, "acc_bits": 11}
    options |= {} if unit == "array" else {"pairs": 1}
    vectors = []
    for side in (64, 16, 48):
        workshop = Workshop("generic", tmp_path, RECIPES[1:2])
        machine = exact_unit(unit, "2x4x8", "and", rows=side, cols=side, **options)
        vectors.append(workshop.check(machine, workshop.best(machine, 1e6), []).verified_vectors)
    assert min(vectors) >= VECTORS
    assert len(set(vectors)) == 1
    assert len(list((tmp_path / "cache").glob("simulated_*"))) == 1


@pytest.mark.every(6)
@pytest.mark.slow
@pytest.mark.parametrize(
    "unit",
    [
        exact_unit("pe", "2x8x8", "booth", pipeline=1),
        sparq_unit("pe", "3opt", vsparq=False, group=4, weight_bits=5),
        exact_unit("dot_product", "8x8", "radix4", pairs=4, pipeline=2),
        exact_unit("dot_product", "2x4x8", "distributed", pairs=2, weight_bits=6),
        sparq_unit("dot_product", "5opt", pairs=4),
        sparq_unit("dot_product", "5opt", vsparq=False, group=4, pairs=4),
        sparq_unit("dot_product", "2opt", vsparq=False, group=8, pairs=2, pipeline=1),
        sparq_unit("pe", "s4opt", vsparq=False, group=4),
        sparq_unit("dot_product", "s5opt", pairs=2),
    ],
    ids=lambda unit: f"{unit.unit}-{unit.label}".replace(" ", "-"),
)
def test_energy_is_that_of_products(unit: Unit, tmp_path: Path) -> None:
    """What the unit shows while energy is measured; zeros on one side show its biases."""
    library = load_library("generic", tmp_path)
    (mapped,) = map_verilog(unit.verilog("unit"), "unit", library, RECIPES[:1])
    netlist = parse_netlist(mapped.json, library)
    rng = np.random.default_rng(9)
    x = rng.integers(0, 256, (LANES, 42), dtype=np.uint8)
    x[rng.random(x.shape) < 0.3] = 0
    fmt = unit.format
    if is_signed := fmt is not None and fmt.sparq_format.signed:
        x = np.where(x == 128, 0, x).astype(np.uint8).view(np.int8)
    w = rng.integers(-128, 128, x.shape, dtype=np.int8)
    layers = [(x, w), (x, w), (x, 0 * w), (0 * x, w), (0 * x, 0 * w), (x, w)]
    _, both, activation, weight, neither, *_ = work(
        unit, Simulator(netlist, library, LANES), library, Operands("", layers, is_signed)
    )
    expected = unit.product(x[:, np.newaxis], (w >> 8 - unit.element.weight_bits)[..., np.newaxis])
    wrap = np.uint64((1 << unit.element.acc_bits) - 1)
    np.testing.assert_array_equal(
        (both - activation - weight + neither) & wrap,
        expected[:, 0, 0].astype(np.uint64) & wrap,
    )


@pytest.mark.slow
def test_a_changed_gate_is_a_mismatch(tmp_path: Path) -> None:
    library = load_library("generic", tmp_path)
    unit = exact_unit("array", "8x8", "and", rows=1, cols=1)
    (mapped,) = map_verilog(unit.verilog("unit"), "unit", library, RECIPES[:1])
    cells = re.findall(r'"type": "(NAND2|NOR2|XOR2|AND2|OR2)"', mapped.json)
    assert cells
    for cell, other in (("NAND2", "NOR2"), ("AND2", "OR2"), ("XOR2", "XNOR2")):
        if cell in cells:
            changed = mapped.json.replace(f'"type": "{cell}"', f'"type": "{other}"', 1)
            with pytest.raises(MismatchError, match=r"^netlist of 1x1 8x8 and"):
                verify_array(unit, parse_netlist(changed, library), library, 1, 1)


@pytest.mark.slow
@pytest.mark.every(1)
@pytest.mark.parametrize(
    "unit",
    [exact_unit("pe", "8x8", "and"), sparq_unit("encoder", "5opt")],
    ids=lambda unit: unit.unit,
)
def test_a_changed_gate_is_not_equivalent(unit: Unit, tmp_path: Path) -> None:
    library = load_library("generic", tmp_path)
    verilog = unit.verilog("unit")
    (mapped,) = map_verilog(verilog, "unit", library, RECIPES[:1])
    require_equivalence(verilog, mapped.verilog, library, unit.label)
    for cell, other in (("NAND2", "NOR2"), ("NOR2", "NAND2")):
        *before, after = mapped.verilog.split(f"  {cell} ")
        changed = f"  {cell} ".join(before) + f"  {other} {after}"
        with pytest.raises(MismatchError, match=r"^netlist of .* is not proved equal to its Ver"):
            require_equivalence(verilog, changed, library, unit.label)


@pytest.mark.slow
def test_not_proved_in_time(tmp_path: Path, monkeypatch: Any) -> None:
    """A proof that is not found is no proof."""
    monkeypatch.setattr("gen.synthesis.equivalence.SECONDS", 0.001)
    library = load_library("generic", tmp_path)
    unit = exact_unit("pe", "8x8", "booth")
    (mapped,) = map_verilog(unit.verilog("unit"), "unit", library, RECIPES[:1])
    with pytest.raises(MismatchError, match=r"^netlist of 8x8 booth is not .* within 0\.001 s$"):
        require_equivalence(unit.verilog("unit"), mapped.verilog, library, unit.label)


def test_a_port_that_nobody_reads() -> None:
    """Its register goes with it."""
    verilog = exact_unit("pe", "8x8", "and").verilog("unit")
    cut = without_outputs(verilog, "unit", ("weight_out", "last_out"))
    (inputs, outputs), (kept, left) = ports(verilog, "unit"), ports(cut, "unit")
    assert kept == inputs
    assert left == [port for port in outputs if port not in ("weight_out", "last_out")]
    assert "reg [7:0] weight_out" in cut


@pytest.mark.full
def test_flat_and_by_parts(tmp_path: Path) -> None:
    """A flat array confirms the sum of its parts."""
    workshop = Workshop("generic", tmp_path, RECIPES[:1])
    unit = exact_unit("array", "8x8", "and", rows=4, cols=4)
    parts, flat = (workshop.best(replace(unit, flat=f), 1e6) for f in (False, True))
    assert 0.97 * parts.area < flat.area <= parts.area


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--unit", "alu"],
            "Invalid value for '--unit': 'alu' is not one of 'pe', 'dot_product', ",
        ),
        (["--design", "4x4"], "Invalid value for '--design': '4x4' is not one of "),
        (
            ["--unit", "engine", "--format", "s4opt"],
            "no unit is called unit engine, format s4opt",
        ),
        (
            ["--format", "9opt"],
            "format must be one of 5opt, 3opt, 2opt, 6opt, 7opt, or win",
        ),
        (["--unit", "pe", "--group", "16"], "no unit is called unit pe, group 16"),
        (["--library", "tsmc"], "library must be one of generic, osu018, osu035, or a path"),
        (["--liberty", "no.lib"], "cannot read no.lib: No such file or directory"),
        (["--target-ps", "0"], "target-ps must be an integer of at least 1, not 0"),
        (["--weight-bits", "9"], "weight-bits must be an integer from 2 to 8, not 9"),
        (["--pipeline", "3"], "pipeline must be an integer from 0 to 2, not 3"),
        (["--group", "3"], "Invalid value for '--group': '3' is not one of "),
        (["--acc-bits", "16"], "acc-bits must be an integer from 17 to 63, not 16"),
    ],
)
def test_bad_arguments(
    arguments: list[str], message: str, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(cli, ["area", *arguments], standalone_mode=False)
    error = result.exception
    assert isinstance(error, ClickException | ConfigurationError | LibraryError | OutputError)
    text = error.format_message() if isinstance(error, ClickException) else str(error)
    assert text.startswith(message)
    assert "\n" not in text


@pytest.mark.slow
def test_a_small_run(tmp_path: Path, monkeypatch: Any) -> None:
    """Rows, ratios and files; an unreachable target is said in the row."""
    monkeypatch.chdir(tmp_path)
    encoder = sparq_unit("encoder", "2opt")
    units = [exact_unit("pe", "8x8", "and"), encoder]
    result = run_area("generic", units, 10, progress_bar(), faster=False)
    element, other = result["rows"]
    assert element["ratio_to_8x8"] == element["energy_per_mac_ratio"] == 1
    assert element["glitch_energy_per_mac_ratio"] == 1
    for prefix in ("", "uniform_", "signed_"):
        settled, glitches = (
            element[f"{prefix}{kind}energy_per_mac_fj"] for kind in ("", "glitch_")
        )
        assert settled < glitches < 1.5 * settled
        error = element[f"{prefix}glitch_energy_per_mac_error_fj"]
        assert 0 < error < 0.02 * glitches
        assert other[f"{prefix}glitch_energy_per_mac_fj"] is None
    assert element["ratio_to_2x8x8"] is None
    assert not element["meets_target"]
    assert other["area_per_mac"] is None
    assert element["verified_vectors"] >= VECTORS
    assert json.loads(json.dumps(result)) == result


def test_yosys_fails(tmp_path: Path) -> None:
    library = load_library("generic", tmp_path)
    with pytest.raises(LibraryError, match=r"^Yosys cannot map with generic: syntax error"):
        map_verilog("module unit(;", "unit", library, RECIPES[:1])
    with pytest.raises(LibraryError, match=r"^Yosys cannot link with generic: .*`\\part'"):
        link(["module unit; part part(); endmodule"], "unit", library)


@pytest.mark.slow
def test_a_recipe_that_abc_fails_with_is_no_candidate(tmp_path: Path) -> None:
    """Those before it and behind it are, as if they were alone."""
    unit = exact_unit("pe", "2x4x8", "and", weight_bits=2, acc_bits=11)
    failing = Recipe("failing", True, "strash; no_such_command")
    recipes = (RECIPES[0], failing, RECIPES[3])
    for _ in ("measured", "kept"):
        found = Workshop("generic", tmp_path, recipes).candidates(unit)
        assert all(list(one.failed_recipes) == ["failing"] for one in found)
    alone = [
        Workshop("generic", tmp_path, [one]).best(unit, 1e6) for one in (recipes[0], recipes[2])
    ]
    best = choose(alone, 1e6)
    assert not best.failed_recipes
    assert choose(found, 1e6).netlists == best.netlists
    line = "ABC fails with generic by every recipe: failing: no output; failing: no output"
    with pytest.raises(MappingError, match=f"^{line}$"):
        Workshop("generic", tmp_path, [failing, failing]).candidates(unit)


def in_turn(
    function: Callable[..., Any], tasks: Sequence[tuple[Any, ...]], on_done: Callable[[], None]
) -> list[Any]:
    """``run_tasks`` in this process."""
    return [function(*task) for task in tasks]


@pytest.mark.slow
def test_a_design_on_which_abc_aborts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The recipe is named, in the result and on standard error; another one is measured."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("gen.synthesis.area.Workshop", partial(Workshop, recipes=RECIPES[:2]))
    monkeypatch.setattr("gen.synthesis.area.run_tasks", in_turn)
    unit = sparq_unit("pe", "2:0,2,3,5,6", group=8, weight_bits=4)
    result = run_area("generic", [unit], None, progress_bar(), faster=False, energy=False)
    label = f"pe {unit.label}"
    assert result["failed_recipes"] == {label: ["area-nodes+adders"]}
    (row,) = result["rows"]
    assert row["proved_equal"]
    assert row["recipe"] == "plain+adders"
    error = " ".join(capsys.readouterr().err.split())
    assert f"generic: ABC failed on {label} by area-nodes+adders" in error


def test_machines_beside_each_other() -> None:
    """Of an exact design the smallest multiplier counts; what a machine lacks is a dash."""
    row = {
        "rounding": True,
        "vsparq": True,
        "group": 1,
        "flat": False,
        "target_ps": 100.0,
        "meets_target": True,
        "ratio_to_2x8x8": None,
    } | dict.fromkeys(set(SHOWN.values()) - {"ratio_to_2x8x8"})
    array = {**row, "unit": "array", "rows": 4, "cols": 4, "pairs": 1}
    core = {**row, "unit": "tensor_core", "rows": 2, "cols": 2, "pairs": 4}
    exact = {"design": "8x8", "format": None}
    rows = [
        {**array, **exact, "area_per_mac": 9.0, "ratio_to_8x8": 1.5},
        {**array, **exact, "area_per_mac": 6.0, "ratio_to_8x8": 1.0},
        {**array, "design": "sparq", "format": "5opt", "area_per_mac": 4.2, "ratio_to_8x8": 0.7},
        {**core, **exact, "area_per_mac": 8.0, "ratio_to_8x8": 1.0},
    ]
    *_, printed = area_grids({"library": "l", "target": 100.0, "rows": rows})
    assert printed == (
        "All machines, l: area per MAC relative to 8x8 (to 2x8x8)",
        ["design", "array 4x4", "tensor_core 2x2"],
        [["8x8", "1.000 (-)", "1.000 (-)"], ["5opt", "0.700 (-)", "-"]],
    )


def test_baselines_come_along() -> None:
    labels = {unit.label for unit in select(8, 32, {"unit": ("pe",), "format": ("5opt",)})}
    assert {"8x8 radix4", "2x8x8 radix4", "sparq 5opt"} <= labels
    assert not any("pipeline" in label for label in labels)
