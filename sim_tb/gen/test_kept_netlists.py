"""Netlists for other tools: what they look like, and what OpenSTA says of their timing."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from gen.library.errors import LibraryError
from gen.netlist.netlist import parse_netlist
from gen.netlist.timing import WIRE_LOAD_FF, critical_path
from gen.synthesis.mapping import RECIPES, link
from gen.synthesis.measure import Workshop
from gen.synthesis.parts import ports
from gen.synthesis.selection import select
from gen.synthesis.units import Unit, exact_unit, sparq_unit

ELEMENTS = [
    exact_unit("pe", "8x8", "radix4"),
    exact_unit("pe", "8x8", "booth", pipeline=1),
    exact_unit("pe", "2x8x8", "distributed"),
    exact_unit("pe", "2x4x8", "and"),
    sparq_unit("pe", "5opt"),
    sparq_unit("pe", "3opt", vsparq=False, group=2),
]


@pytest.mark.every(4)
@pytest.mark.slow
@pytest.mark.parametrize(
    "unit",
    [
        sparq_unit("encoder", "2opt"),
        sparq_unit("array", "3opt", rows=2, cols=2),
        sparq_unit("tensor_core", "2opt", pairs=1, rows=1, cols=2),
    ],
    ids=lambda unit: unit.unit,
)
def test_structural_verilog(unit: Unit, tmp_path: Path) -> None:
    """One top, called as asked; instances, and assignments of single names; all there is."""
    workshop = Workshop("generic", tmp_path, RECIPES[:1])
    text = workshop.netlist(unit, workshop.best(unit, 1e6), "my_design")
    names = re.findall(r"^module (\w+)\(", text, re.MULTILINE)
    assert names[0] == "my_design"
    assert all(name.startswith("my_design_") for name in names[1:])
    assert len(set(names)) == len(names)
    assert (len(names) > 1) == (unit.unit != "encoder")
    assert not re.search(r"assign\s*{", text)
    assert not re.search(r"\b(always|reg|initial)\b|[~&|^?]", text)
    # Linked, nothing is missing, and the ports are those of the design.
    netlist = parse_netlist(link([text], "my_design", workshop.library), workshop.library)
    inputs, outputs = ports(unit.verilog("unit"), "unit")
    assert {*netlist.ports} == {*inputs, *outputs}
    # Linking removes what nothing reads, and elements at the edges have more than is counted.
    assert netlist.cells == pytest.approx(workshop.best(unit, 1e6).cells, rel=0.05)


def test_constraints(tmp_path: Path) -> None:
    """The clock target in the library's unit of time, and every port but the clock."""
    workshop = Workshop("generic", tmp_path)
    text = workshop.constraints(sparq_unit("pe", "5opt"), 1234.0)
    assert "create_clock -name clk -period 1234 [get_ports clk]\n" in text
    ports_of = dict(re.findall(r"^(set_\w+) .*\[get_ports {(.*)}\]$", text, re.MULTILINE))
    assert set(ports_of) == {"set_input_delay", "set_driving_cell", "set_output_delay", "set_load"}
    assert ports_of["set_driving_cell"] == ports_of["set_input_delay"]
    assert "activation_in" in ports_of["set_input_delay"].split()
    assert "clk" not in ports_of["set_input_delay"].split()
    assert "result_out" in ports_of["set_load"].split()
    assert "-lib_cell DFF -from_pin CK -pin Q" in text


def test_every_unit_has_a_name_of_its_own() -> None:
    """Of files and modules; units of other widths have others."""
    units = [unit for bits in (5, 8) for unit in select(bits, 32, {})]
    named = {unit.slug: unit for unit in units}
    encoders = sum(unit.unit == "encoder" for unit in units) // 2  # have no weights
    assert len(named) == len(units) - encoders
    assert all(re.fullmatch(r"[a-z]\w*", slug, re.ASCII) for slug in named)
    assert named["pe_5opt_p1"] == sparq_unit("pe", "5opt", pipeline=1)
    assert named["encoder_5opt_trim"] == sparq_unit("encoder", "5opt", rounding=False)
    assert "array_4x4_flat_5opt_w5" in named


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("sta") is None, reason="no OpenSTA (Debian: apt install opensta)")
@pytest.mark.every(4)
@pytest.mark.parametrize("library", ["osu018", "generic"])
def test_opensta_agrees(library: str, tmp_path: Path) -> None:
    """The shortest clock period of six elements, within 1 %."""
    try:
        workshop = Workshop(library, tmp_path, RECIPES[:1])
    except LibraryError as reason:
        pytest.skip(str(reason))
    for unit in ELEMENTS:
        found = workshop.best(unit, 1e6)
        # Late by far: OpenSTA shows the slack of the worst path in any case.
        period = 1e5
        (tmp_path / "element.v").write_text(workshop.netlist(unit, found, "element"))
        (tmp_path / "element.sdc").write_text(workshop.constraints(unit, period))
        wire = WIRE_LOAD_FF / workshop.library.capacitance_unit
        commands = [
            f"read_liberty {workshop.library.path}",
            f"read_verilog {tmp_path / 'element.v'}",
            "link_design element",
            f"read_sdc {tmp_path / 'element.sdc'}",
            "foreach net [get_nets *] {",
            "  set sinks [expr [llength [get_pins -of_objects $net]] - 1]",
            f"  if {{$sinks > 0}} {{ set_load [expr {wire} * $sinks] $net }}",
            "}",
            "report_worst_slack -digits 6",
            "exit",
        ]
        (tmp_path / "sta.tcl").write_text("\n".join(commands))
        done = subprocess.run(
            ["sta", "-no_splash", "-exit", str(tmp_path / "sta.tcl")],
            capture_output=True,
            text=True,
            timeout=100,
            check=True,
        )
        slack = re.search(r"^worst slack (-?[\d.]+)$", done.stdout, re.MULTILINE)
        assert slack is not None, done.stdout + done.stderr
        theirs = period - float(slack[1]) * workshop.library.time_unit
        netlist = parse_netlist(workshop.with_netlists(found).json, workshop.library)
        ours = critical_path(netlist, workshop.library).delay_ps
        assert theirs == pytest.approx(ours, rel=0.01), unit.label
