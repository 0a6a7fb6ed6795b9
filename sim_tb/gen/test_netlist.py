"""Mapped netlists: what is read and refused, simulated, and how slow its slowest path is."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from pyosys import libyosys

from gen.library.function import compile_function
from gen.library.library import Arc, Cell, Library
from gen.library.load import load_library
from gen.netlist.netlist import Netlist, NetlistError, parse_netlist
from gen.netlist.simulation import Simulator, bit_planes, energy, lane_bytes
from gen.netlist.timing import critical_path, smallest_flip_flop

LANES = 128

ACCUMULATOR = """
module accumulator(input clk, input [7:0] a, input signed [7:0] b, output reg signed [15:0] sum,
                   output zero);
    always @(posedge clk) sum <= sum + $signed({1'b0, a}) * b;
    assign zero = sum == 0;
endmodule
"""
COUNTER = """
module counter(input clk, output reg [3:0] count);
    always @(posedge clk) count <= count + 1;
endmodule
"""
WIDE = """
module wide(input clk, input [99:0] a, output reg [99:0] q, output [2:0] constant, output parity);
    always @(posedge clk) q <= {~a[98:0], a[99]};
    assign constant = 5;
    assign parity = ^a;
endmodule
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    return load_library("generic", tmp_path_factory.mktemp("library"))


@pytest.fixture(scope="module")
def mapped(library: Library, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """Yosys's JSON of the only module in some Verilog, mapped to the library."""

    def map_verilog(verilog: str) -> str:
        folder = tmp_path_factory.mktemp("mapped")
        (folder / "top.v").write_text(verilog)
        design = libyosys.Design()
        for command in (
            f"read_verilog {folder}/top.v",
            "synth -flatten -auto-top",
            f"dfflibmap -liberty {library.path}",
            f"abc -liberty {library.path}",
            "opt_clean -purge",
            f"write_json {folder}/top.json",
        ):
            libyosys.run_pass(f"tee -q {command}", design)
        return (folder / "top.json").read_text()

    return map_verilog


def structural(
    cells: dict[str, tuple[str, dict[str, str]]],
    inputs: tuple[str, ...] = (),
    outputs: tuple[str, ...] = (),
) -> str:
    """JSON as of Yosys, of single-bit nets that are given by name."""
    names = dict.fromkeys([*inputs, *outputs])
    for _, connections in cells.values():
        names.update(dict.fromkeys(connections.values()))
    bits: dict[str, Any] = {name: bit for bit, name in enumerate(names, 2)}
    bits |= {constant: constant for constant in ("0", "1", "x")}
    module = {
        "attributes": {},
        "ports": {
            **{name: {"direction": "input", "bits": [bits[name]]} for name in inputs},
            **{name: {"direction": "output", "bits": [bits[name]]} for name in outputs},
        },
        "cells": {
            name: {
                "type": cell,
                "connections": {pin: [bits[net]] for pin, net in connections.items()},
            }
            for name, (cell, connections) in cells.items()
        },
        "netnames": {name: {"hide_name": 0, "bits": [bits[name]]} for name in names},
    }
    return json.dumps({"modules": {"top": module}})


def inverter(library: Library) -> tuple[Cell, str, str]:
    """The smallest inverter, its input and its output."""
    for cell in sorted(library.cells.values(), key=lambda cell: cell.area):
        if len(cell.pins) == 2 and cell.arcs and cell.arcs[0].sense == "negative_unate":
            return cell, cell.arcs[0].source, cell.arcs[0].sink
    raise AssertionError("the library has no inverter")


def chain(library: Library, length: int, registered: bool) -> str:
    """Inverters in a row, between an input and an output or between two flip-flops."""
    cell, source, sink = inverter(library)
    cells = {
        f"inverter{index}": (cell.name, {source: f"n{index}", sink: f"n{index + 1}"})
        for index in range(length)
    }
    if not registered:
        return structural(cells, ("n0",), (f"n{length}",))
    register = smallest_flip_flop(library)
    flip_flop = register.flip_flop
    assert flip_flop is not None
    for name, data, output in (("first", "d", "n0"), ("last", f"n{length}", "q")):
        pins = {flip_flop.clock: "clk", flip_flop.data: data, flip_flop.output: output}
        cells[name] = (register.name, pins)
    return structural(cells, ("clk", "d"), ("q",))


# Reading


def test_reads_what_yosys_mapped(library: Library, mapped: Callable[[str], str]) -> None:
    text = mapped(ACCUMULATOR)
    netlist = parse_netlist(text, library)
    cells = json.loads(text)["modules"]["accumulator"]["cells"]
    assert netlist.name == "accumulator"
    assert netlist.cells == len([cell for cell in cells.values() if cell["type"][0] != "$"])
    assert netlist.flip_flops == 16
    assert len(netlist.logic) == netlist.cells - 16
    assert netlist.area(library) == pytest.approx(
        sum(library.cells[instance.cell].area for instance in netlist.instances)
    )
    assert {name: len(port.nets) for name, port in netlist.ports.items()} == {
        **{"clk": 1, "a": 8, "b": 8, "sum": 16, "zero": 1}
    }
    assert len(netlist.sinks[netlist.ports["clk"].nets[0]]) == 16
    driven = {net for port in netlist.ports.values() if port.is_input for net in port.nets}
    driven |= {net for register in netlist.registers for net in register.outputs.values()}
    for instance in netlist.logic:
        assert driven.issuperset(instance.inputs.values()), "not in topological order"
        driven.update(instance.outputs.values())


def test_names_are_public_ones(library: Library, mapped: Callable[[str], str]) -> None:
    netlist = parse_netlist(mapped(ACCUMULATOR), library)
    sums = [netlist.net_names[net] for net in netlist.ports["sum"].nets]
    assert sums == [f"sum[{bit}]" for bit in range(16)]


def test_loads_add_pins_wires_and_ports(library: Library) -> None:
    cell, source, sink = inverter(library)
    cells = {
        "first": (cell.name, {source: "a", sink: "b"}),
        "second": (cell.name, {source: "b", sink: "c"}),
        "third": (cell.name, {source: "b", sink: "d"}),
    }
    netlist = parse_netlist(structural(cells, ("a",), ("b", "c", "d")), library)
    loads = dict(zip(netlist.net_names, netlist.loads(library, 2.0, 7.0), strict=True))
    pin = cell.pins[source].capacitance + 2.0
    assert loads == pytest.approx(
        {"0": 0, "1": 0, "x": 0, "a": pin, "b": 2 * pin + 7, "c": 7, "d": 7}
    )


def refused(text: str, library: Library, expected: str) -> None:
    with pytest.raises(NetlistError) as caught:
        parse_netlist(text, library)
    assert str(caught.value) == expected


def test_refuses_a_combinational_loop(library: Library) -> None:
    cell, source, sink = inverter(library)
    cells = {
        "after": (cell.name, {source: "a", sink: "z"}),
        "one": (cell.name, {source: "a", sink: "b"}),
        "two": (cell.name, {source: "b", sink: "a"}),
    }
    expected = f"one, a {cell.name}, is in a combinational loop of 2 cells"
    found = [expected, expected.replace("one", "two")]
    with pytest.raises(NetlistError) as caught:
        parse_netlist(structural(cells, (), ("z",)), library)
    assert str(caught.value) in found


def test_refuses_what_is_no_mapped_netlist(library: Library) -> None:
    cell, source, sink = inverter(library)
    pins = {source: "a", sink: "z"}
    cases: list[tuple[dict[str, tuple[str, dict[str, str]]], tuple[str, ...], str]] = [
        ({"g": ("$_XOR_", {})}, (), f"g is a $_XOR_, which {library.name} does not have"),
        ({"g": (cell.name, pins)}, (), f"pin {source} of g reads a, which nothing drives"),
        (
            {"g": (cell.name, pins), "h": (cell.name, pins)},
            ("a",),
            "h drives z, which is driven already",
        ),
        (
            {"g": (cell.name, {"no": "a"})},
            ("a",),
            f"g connects pin no, which {cell.name} does not have",
        ),
        (
            {"g": (cell.name, {sink: "z"})},
            (),
            f"g leaves pin {source} of {cell.name} unconnected",
        ),
        ({}, (), "output z reads z, which nothing drives"),
    ]
    for cells, inputs, expected in cases:
        refused(structural(cells, inputs, ("z",)), library, expected)
    refused("{", library, "not a netlist that Yosys wrote as JSON")
    refused('{"modules": {}}', library, "a netlist is one flat module, not none")


def test_refuses_a_clock_that_is_no_port(library: Library) -> None:
    text = chain(library, 1, registered=True)
    flip_flop = smallest_flip_flop(library).flip_flop
    assert flip_flop is not None
    design = json.loads(text)
    module = design["modules"]["top"]
    pins = module["cells"]["last"]["connections"]
    pins[flip_flop.clock] = pins[flip_flop.data]
    refused(json.dumps(design), library, "the clock of last, n1, is not an input")
    pins[flip_flop.clock] = module["ports"]["d"]["bits"]
    refused(json.dumps(design), library, "the clock of last, d, is a second one")


# Simulation


def multiply_accumulate(text: str, library: Library, cycles: int = 20) -> bool:
    """Whether the netlist of ``ACCUMULATOR`` computes what NumPy does, on random inputs."""
    rng = np.random.default_rng(1)
    simulator = Simulator(parse_netlist(text, library), library, LANES)
    sums = np.zeros(LANES, np.int64)
    for _ in range(cycles):
        a, b = rng.integers(0, 256, LANES), rng.integers(-128, 128, LANES)
        simulator.set("a", a)
        simulator.set("b", b)
        simulator.step()
        if not np.array_equal(simulator.get("sum"), sums % 65536):
            return False
        if not np.array_equal(simulator.get("zero"), sums % 65536 == 0):
            return False
        simulator.clock()
        sums += a * b
    return True


def test_simulation_equals_numpy(library: Library, mapped: Callable[[str], str]) -> None:
    assert multiply_accumulate(mapped(ACCUMULATOR), library)


def truth(cell: Cell) -> int | None:
    """The truth table of a gate, one bit for each value of its inputs; None of other cells."""
    if cell.flip_flop is not None or len(cell.outputs) > 1:
        return None
    rows = np.arange(1 << len(cell.inputs), dtype=np.uint64)
    operands = {name: rows >> np.uint64(i) & np.uint64(1) for i, name in enumerate(cell.inputs)}
    function = cell.pins[cell.outputs[0]].function
    assert function is not None
    values = compile_function(function)(operands) & np.uint64(1)
    return sum(int(value) << row for row, value in enumerate(values))


@pytest.mark.slow
def test_a_flipped_gate_is_noticed(library: Library, mapped: Callable[[str], str]) -> None:
    """A gate replaced by the one that computes its complement makes the result wrong."""
    design = json.loads(mapped(ACCUMULATOR))
    cells = design["modules"]["accumulator"]["cells"]
    gates = {
        (tuple(cell.pins), table): cell.name
        for cell in library.cells.values()
        if (table := truth(cell)) is not None
    }
    flipped = 0
    for name, contents in list(cells.items())[::4]:
        original = library.cells.get(contents["type"])
        table = None if original is None else truth(original)
        if original is None or table is None:
            continue
        complement = table ^ ((1 << (1 << len(original.inputs))) - 1)
        if (tuple(original.pins), complement) in gates:
            contents["type"] = gates[tuple(original.pins), complement]
            assert not multiply_accumulate(json.dumps(design), library), name
            contents["type"] = original.name
            flipped += 1
    assert flipped > 20
    assert multiply_accumulate(json.dumps(design), library)


def test_cells_of_several_outputs(library: Library) -> None:
    """Full adders in a row, the last without its carry, add two numbers of 8 bits."""
    adder = library.full_adder
    assert adder is not None
    cells = {}
    for bit in range(8):
        nets = (f"a{bit}", f"b{bit}", f"c{bit}" if bit else "0")
        pins = {**dict(zip(adder.inputs, nets, strict=True)), adder.sum: f"s{bit}"}
        if bit < 7:
            pins[adder.carry] = f"c{bit + 1}"
        cells[f"adder{bit}"] = (adder.cell, pins)
    inputs = tuple(f"{name}{bit}" for name in "ab" for bit in range(8))
    outputs = tuple(f"s{bit}" for bit in range(8))
    netlist = parse_netlist(structural(cells, inputs, outputs), library)
    simulator = Simulator(netlist, library, LANES)
    a, b = np.random.default_rng(5).integers(0, 256, (2, LANES))
    for bit in range(8):
        simulator.set(f"a{bit}", a >> bit)
        simulator.set(f"b{bit}", b >> bit)
    simulator.step()
    total = sum(simulator.get(f"s{bit}") << np.uint64(bit) for bit in range(8))
    np.testing.assert_array_equal(total, (a + b) % 256)
    timing = critical_path(netlist, library)
    assert timing.end == "output s7"
    assert timing.cells == (adder.cell,) * 8


def test_wide_ports_and_constants(library: Library, mapped: Callable[[str], str]) -> None:
    rng = np.random.default_rng(2)
    simulator = Simulator(parse_netlist(mapped(WIDE), library), library, LANES)
    bits = rng.integers(0, 2, (LANES, 100)).astype(np.bool_)
    for values in (bits, np.packbits(bits, axis=1, bitorder="little")):
        simulator.set("a", np.zeros_like(values))
        simulator.set("a", values)
        simulator.step()
        simulator.clock()
        expected = np.concatenate([bits[:, 99:], ~bits[:, :99]], axis=1)
        np.testing.assert_array_equal(simulator.get_bits("q"), expected)
        np.testing.assert_array_equal(simulator.get_bits("a"), bits)
        np.testing.assert_array_equal(simulator.get("parity"), bits.sum(axis=1) % 2)
        np.testing.assert_array_equal(simulator.get("constant"), 5)


def test_ports_refuse_what_does_not_fit(library: Library, mapped: Callable[[str], str]) -> None:
    netlist = parse_netlist(mapped(WIDE), library)
    simulator = Simulator(netlist, library, LANES)
    for port, values, text in (
        ("none", 0, "wide has no port none"),
        ("q", 0, "q is an output"),
        ("clk", 0, "clk is the clock: it follows from clock()"),
        ("a", 0, "a has 100 bits: give it bytes or bits"),
        ("a", np.zeros((LANES, 12), np.uint8), "a takes shape (128, 13), not (128, 12)"),
    ):
        with pytest.raises(ValueError, match=rf"^{re.escape(text)}$"):
            simulator.set(port, values)
    with pytest.raises(ValueError, match="use get_bytes or get_bits"):
        simulator.get("q")
    with pytest.raises(ValueError, match="lanes must be a multiple of 64, not 65"):
        Simulator(netlist, library, 65)


def test_packing_is_a_transposition_of_bits() -> None:
    values = np.random.default_rng(3).integers(0, 256, (192, 5), np.uint8)
    planes = bit_planes(values)
    assert planes.shape == (40, 3)
    for lane, plane in ((0, 0), (70, 13), (191, 39), (64, 8)):
        bit = int(planes[plane, lane // 64]) >> lane % 64 & 1
        assert bit == int(values[lane, plane // 8]) >> plane % 8 & 1
    np.testing.assert_array_equal(lane_bytes(planes), values)


def test_a_counter_toggles_as_often_as_its_bits(
    library: Library, mapped: Callable[[str], str]
) -> None:
    netlist = parse_netlist(mapped(COUNTER), library)
    simulator = Simulator(netlist, library, LANES)
    simulator.count_toggles(True)
    simulator.step()
    for cycle in range(1, 33):
        simulator.clock()
        simulator.step()
        np.testing.assert_array_equal(simulator.get("count"), cycle % 16)
    toggles = simulator.toggles
    assert toggles[list(netlist.ports["count"].nets)].tolist() == [
        32 * LANES,
        16 * LANES,
        8 * LANES,
        4 * LANES,
    ]
    assert netlist.clock is not None
    assert toggles[netlist.clock] == 2 * 32 * LANES
    assert not toggles[:3].any()
    simulator.count_toggles(False)
    simulator.step()
    simulator.clock()
    np.testing.assert_array_equal(simulator.toggles, toggles)


def test_random_states_differ_between_lanes(library: Library, mapped: Callable[[str], str]) -> None:
    netlist = parse_netlist(mapped(COUNTER), library)
    counts = Simulator(netlist, library, LANES, np.random.default_rng(4)).get("count")
    assert set(counts.tolist()) == set(range(16))


def test_energy_is_charge_times_voltage(library: Library) -> None:
    text = chain(library, 2, registered=True)
    netlist = parse_netlist(text, library)
    silent = replace(
        library,
        cells={name: replace(cell, internal_energy=()) for name, cell in library.cells.items()},
    )
    toggles = np.zeros(netlist.nets, np.int64)
    assert energy(netlist, silent, toggles) == 0
    cell, source, _ = inverter(library)
    register = smallest_flip_flop(library)
    assert register.flip_flop is not None
    toggles[netlist.net_names.index("n0")] = 10
    toggles[netlist.net_names.index("clk")] = 2
    toggles[netlist.net_names.index("q")] = 99  # drives only a port
    charged = 10 * (cell.pins[source].capacitance + 3.0)
    charged += 2 * 2 * (register.pins[register.flip_flop.clock].capacitance + 3.0)
    expected = charged * library.voltage**2 / 2
    assert energy(netlist, silent, toggles, wire_load=3.0) == pytest.approx(expected)
    assert energy(netlist, library, toggles, wire_load=3.0) >= expected


# Timing


def walk(
    library: Library, netlist: Netlist, cells: list[tuple[Arc, str]], slew: float, wire_load: float
) -> tuple[float, float]:
    """Rise and fall delay through arcs in a row, each to a net, the first from the clock."""
    register = smallest_flip_flop(library)
    assert register.flip_flop is not None
    port = register.pins[register.flip_flop.data].capacitance + wire_load
    loads = netlist.loads(library, wire_load, port)
    at = {name: loads[net] for net, name in enumerate(netlist.net_names)}
    (launch, net), *others = cells
    rise = (launch.cell_rise.at(at[net], slew), launch.rise_transition.at(at[net], slew))
    fall = (launch.cell_fall.at(at[net], slew), launch.fall_transition.at(at[net], slew))
    for arc, net in others:
        load = at[net]
        rise, fall = (
            (fall[0] + arc.cell_rise.at(load, fall[1]), arc.rise_transition.at(load, fall[1])),
            (rise[0] + arc.cell_fall.at(load, rise[1]), arc.fall_transition.at(load, rise[1])),
        )
    return rise[0], fall[0]


@pytest.mark.parametrize("wire_load", [2.0, 40.0])
def test_a_chain_has_the_delay_of_its_tables(library: Library, wire_load: float) -> None:
    cell, _, _ = inverter(library)
    register = smallest_flip_flop(library)
    flip_flop = register.flip_flop
    assert flip_flop is not None
    (launch,) = [
        arc
        for arc in register.arcs
        if (arc.source, arc.sink) == (flip_flop.clock, flip_flop.output)
    ]
    previous = 0.0
    for length in range(1, 8):
        path = [(launch, "n0"), *((cell.arcs[0], f"n{i + 1}") for i in range(length))]
        for registered in (False, True):
            netlist = parse_netlist(chain(library, length, registered), library)
            timing = critical_path(netlist, library, wire_load, input_slew=30.0)
            expected = max(walk(library, netlist, path, 30.0, wire_load))
            if registered:
                expected += flip_flop.setup
                assert timing.cells == (register.name, *(length * [cell.name]))
                assert (timing.start, timing.end) == ("n0", "q")
            else:
                assert timing.cells == tuple(length * [cell.name])
                assert (timing.start, timing.end) == ("input n0", f"output n{length}")
            assert timing.delay_ps == pytest.approx(expected)
        assert timing.delay_ps > previous
        previous = timing.delay_ps


def test_inputs_may_arrive_with_the_clock(library: Library) -> None:
    netlist = parse_netlist(chain(library, 1, registered=False), library)
    arc = inverter(library)[0].arcs[0]
    register = smallest_flip_flop(library)
    assert register.flip_flop is not None
    load = register.pins[register.flip_flop.data].capacitance + 2.0
    expected = max(arc.cell_rise.at(load, 80.0), arc.cell_fall.at(load, 80.0))
    timing = critical_path(netlist, library, input_slew=80.0, registered_inputs=False)
    assert timing.delay_ps == pytest.approx(expected)
    assert timing.delay_ps < critical_path(netlist, library, input_slew=80.0).delay_ps


def test_the_slowest_path_is_named(library: Library, mapped: Callable[[str], str]) -> None:
    timing = critical_path(parse_netlist(mapped(ACCUMULATOR), library), library)
    assert timing.start.startswith(("input a[", "input b["))
    assert timing.end.startswith("sum[1")
    assert str(timing) == f"{timing.delay_ps:.0f} ps from {timing.start} to {timing.end}"
    assert len(timing.cells) > 5
    assert timing.cells[0] in library.cells


def test_no_path_is_refused(library: Library) -> None:
    netlist = parse_netlist(structural({}, ("a",), ()), library)
    with pytest.raises(NetlistError, match="top has no path"):
        critical_path(netlist, library)
