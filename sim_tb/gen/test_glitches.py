"""Toggles with glitches: against hazards worked out by hand, and against Icarus with delays."""

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from gen.library.library import Library
from gen.library.load import load_library
from gen.netlist import event_simulation
from gen.netlist.event_simulation import TimedSimulator
from gen.netlist.netlist import Netlist, NetlistError, parse_netlist
from gen.netlist.simulation import WORD
from gen.netlist.timing import critical_path, path_delays
from gen.synthesis.mapping import RECIPES, link, map_verilog

MULTIPLY_ACCUMULATE = """
module unit(clk, a, b, sum);
  input clk; input [3:0] a, b; output reg [9:0] sum = 0;
  reg [3:0] x = 0, y = 0;
  always @(posedge clk) begin x <= a; y <= b; sum <= sum + x * y; end
endmodule
"""
CYCLES = 60


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    return load_library("generic", tmp_path_factory.mktemp("library"))


@pytest.fixture(scope="module")
def netlist(library: Library) -> Netlist:
    (mapped,) = map_verilog(MULTIPLY_ACCUMULATE, "unit", library, RECIPES[:1])
    return parse_netlist(mapped.json, library)


def run(simulator: TimedSimulator, inputs: npt.NDArray[np.int64]) -> None:
    """Operands (cycles, 2, lanes), cycle by cycle; the first one is what others change from."""
    simulator.count_toggles(True)
    for a, b in inputs:
        simulator.set("a", a)
        simulator.set("b", b)
        simulator.step()
        simulator.clock()


@pytest.mark.slow
def test_no_toggle_is_lost(netlist: Netlist, library: Library, tmp_path: Path) -> None:
    """Every net changes at least as often as between settled values, and by a multiple of two."""
    inputs = np.random.default_rng(1).integers(0, 16, (CYCLES, 2, 2 * WORD))
    simulator = TimedSimulator(netlist, library, 2 * WORD, 2, tmp_path)
    run(simulator, inputs)
    more = simulator.timed_toggles - simulator.settled_toggles
    assert (more >= 0).all()
    assert (more % 2 == 0).all()
    assert more.sum() > 0.02 * simulator.settled_toggles.sum()
    # Without the clock, which the zero-delay simulation counts once more.
    others = np.arange(netlist.nets) != netlist.clock
    settled = simulator.settled_toggles.sum(axis=0)
    np.testing.assert_array_equal(settled[others], simulator.toggles[others])
    # Registers and inputs have no glitches.
    quiet = [net for port in netlist.ports.values() if port.is_input for net in port.nets]
    quiet += [net for register in netlist.registers for net in register.outputs.values()]
    assert not more[:, quiet].any()


@pytest.mark.slow
def test_a_sample_is_one_of_the_whole(netlist: Netlist, library: Library, tmp_path: Path) -> None:
    inputs = np.random.default_rng(2).integers(0, 16, (8 * CYCLES, 2, 4 * WORD))
    ratios = []
    for words in (4, 1, 1):
        simulator = TimedSimulator(netlist, library, 4 * WORD, words, tmp_path)
        run(simulator, inputs)
        per_word = simulator.timed_toggles.sum(axis=1), simulator.settled_toggles.sum(axis=1)
        assert (per_word[1] > 0).all()
        ratios.append(per_word[0].sum() / per_word[1].sum())
    assert ratios[1] == ratios[2]
    assert ratios[1] == pytest.approx(ratios[0], rel=0.02)
    assert len(list(tmp_path.glob("*.so"))) == 1


def hazard(library: Library, inverters: int) -> Netlist:
    """``y = a & !a``, the inversion by a chain of inverters: high for as long as that takes."""
    wires = ", ".join(f"n{place}" for place in range(inverters + 1))
    chain = "".join(
        f"INV_X1 i{place}(.A(n{place}), .Y(n{place + 1}));" for place in range(inverters)
    )
    text = (
        f"module unit(a, y); input a; output y; wire {wires}; assign n0 = a; {chain} "
        f"AND2 g(.A(a), .B(n{inverters}), .Y(y)); endmodule"
    )
    return parse_netlist(link([text], "unit", library), library)


@pytest.mark.every(1)
@pytest.mark.parametrize("inverters", [1, 3, 9, 15])
def test_a_pulse_is_swallowed_or_counts(library: Library, inverters: int, tmp_path: Path) -> None:
    """A static hazard: two changes where the pulse is at least as long as the delay to its rise."""
    netlist = hazard(library, inverters)
    simulator = TimedSimulator(netlist, library, WORD, 1, tmp_path)
    simulator.count_toggles(True)
    for value in (0, 1, 0, 1):
        simulator.set("a", value)
        simulator.step()
    paths = path_delays(netlist, library).paths
    # How long a rise of a takes to the end of the chain: falls and rises in turn.
    arrival = sum(paths[f"i{place}", "A", "Y"][(place + 1) % 2] for place in range(inverters))
    rise = paths["g", "A", "Y"][1]
    pulses = 2 if arrival > rise else 0
    (y,) = netlist.ports["y"].nets
    assert simulator.timed_toggles[0, y] == 2 * pulses * WORD
    assert simulator.settled_toggles[0, y] == 0
    assert (inverters > 1) == bool(pulses)


def test_what_settles_otherwise_is_found(
    netlist: Netlist, library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine is checked in every cycle: here with exclusive ORs compiled as ANDs."""
    original = event_simulation._functions

    def wrong(library: Library) -> dict[tuple[str, str], str]:
        return {key: text.replace("^", "&") for key, text in original(library).items()}

    monkeypatch.setattr(event_simulation, "_functions", wrong)
    inputs = np.random.default_rng(1).integers(0, 16, (CYCLES, 2, WORD))
    with pytest.raises(NetlistError, match=r"settles otherwise with delays than without$"):
        run(TimedSimulator(netlist, library, WORD, 1, tmp_path), inputs)


def test_words_per_cycle(netlist: Netlist, library: Library, tmp_path: Path) -> None:
    for words in (0, 3):
        with pytest.raises(ValueError, match=f"words_per_cycle must be from 1 to 2, not {words}"):
            TimedSimulator(netlist, library, 2 * WORD, words, tmp_path)


def test_paths_add_up(netlist: Netlist, library: Library) -> None:
    """No path is slower than the slowest, to rounding, and the slowest is about the sum of its."""
    delays = path_delays(netlist, library)
    arrivals = {net: max(both) for net, both in delays.launches.items()}
    for instance in netlist.logic:
        for output, net in instance.outputs.items():
            arrivals[net] = max(
                arrivals.get(source, 0) + max(delays.paths[instance.name, pin, output])
                for pin, source in instance.inputs.items()
                if (instance.name, pin, output) in delays.paths
            )
    flip_flop = library.cells["DFF"].flip_flop
    assert flip_flop is not None
    latest = max(arrivals[register.inputs["D"]] for register in netlist.registers)
    slowest = critical_path(netlist, library).delay_ps - flip_flop.setup
    assert slowest <= latest + len(netlist.logic) / 2
    assert latest <= 1.3 * slowest  # edges are taken alike here


# Icarus


def icarus_text(netlist: Netlist, library: Library, inputs: npt.NDArray[np.int64]) -> str:
    """The netlist with a module for each instance, its paths annotated, and a bench around it."""
    delays = path_delays(netlist, library)
    modules, lines = [], []
    for place, instance in enumerate(netlist.logic):
        cell = library.cells[instance.cell]
        paths, functions = [], []
        for output in instance.outputs:
            functions.append(f"assign {output} = {cell.pins[output].function};")
            for pin in cell.inputs:
                both = delays.paths.get((instance.name, pin, output))
                if both is not None:
                    paths.append(f"({pin} => {output}) = ({both[1]}, {both[0]});")
        ports = ", ".join((*cell.inputs, *instance.outputs))
        modules.append(
            f"module cell{place}({ports}); input {', '.join(cell.inputs)}; "
            f"output {', '.join(instance.outputs)}; {' '.join(functions)} "
            f"specify {' '.join(paths)} endspecify endmodule"
        )
        pins = {**instance.inputs, **instance.outputs}
        connections = ", ".join(f".{pin}(n{net})" for pin, net in pins.items())
        lines.append(f"cell{place} c{place}({connections});")
    constants = ("1'b0", "1'b1", "1'b0")
    driven = {net for instance in netlist.logic for net in instance.outputs.values()}
    for net in range(netlist.nets):
        kind = "wire" if net in driven or net < 3 else "reg"
        value = f" = {constants[net]}" if net < 3 else " = 0" if kind == "reg" else ""
        lines.insert(net, f"{kind} n{net}{value};")
        lines.append(f"integer t{net} = 0; always @(n{net}) t{net} = t{net} + 1;")
    for register in netlist.registers:
        for net in register.outputs.values():
            fall, rise = delays.launches[net]
            data = register.inputs["D"]
            lines.append(
                f"always @(posedge clk) if (n{data}) n{net} <= #{rise} 1; else n{net} <= #{fall} 0;"
            )
    steps = []
    for cycle, operands in enumerate(inputs):
        bits = [
            (net, int(value) >> place & 1)
            for name, value in zip("ab", operands, strict=True)
            for place, net in enumerate(netlist.ports[name].nets)
        ]
        steps += [
            f"n{net} <= #{delays.launches[net][bit]} {bit};" if cycle else f"n{net} = {bit};"
            for net, bit in bits
        ]
        if not cycle:
            resets = " ".join(f"t{net} = 0;" for net in range(netlist.nets))
            steps.append(f"#100000 {resets}")
            # The clock edge comes with the next operands.
            steps.append("clk = 1;")
        else:
            steps += ["#50000 clk = 0;", "#50000 clk = 1;"]
    shown = " ".join(f'$display("%0d %0d", {net}, t{net});' for net in range(netlist.nets))
    bench = "\n".join(steps[:-1])
    return (
        "`timescale 1ps/1ps\n"
        + "\n".join(modules)
        + "\nmodule bench; reg clk = 0;\n"
        + "\n".join(lines)
        + f"\ninitial begin\n{bench}\n{shown} $finish; end\nendmodule\n"
    )


@pytest.mark.skipif(
    shutil.which("iverilog") is None, reason="no Icarus Verilog (Debian: apt install iverilog)"
)
@pytest.mark.parametrize("seed", [3, 4])
def test_icarus_counts_the_same(
    seed: int, netlist: Netlist, library: Library, tmp_path: Path
) -> None:
    """Every net changes as often in Icarus, whose path delays are those of the timing analysis."""
    inputs = np.random.default_rng(seed).integers(0, 16, (CYCLES, 2))
    simulator = TimedSimulator(netlist, library, WORD, 1, tmp_path)
    run(simulator, np.repeat(inputs[..., np.newaxis], WORD, axis=2))
    (tmp_path / "bench.v").write_text(icarus_text(netlist, library, inputs))
    command = ["iverilog", "-g2012", "-gspecify", "-o", "bench", "bench.v"]
    subprocess.run(command, cwd=tmp_path, check=True, timeout=100)
    done = subprocess.run(
        ["vvp", "bench"], cwd=tmp_path, check=True, timeout=100, capture_output=True, text=True
    )
    theirs = dict(re.findall(r"^(\d+) (\d+)$", done.stdout, re.MULTILINE))
    ours = simulator.timed_toggles[0] // WORD
    assert not (simulator.timed_toggles[0] % WORD).any()
    different = {
        netlist.net_names[net]: (int(theirs[str(net)]), int(count))
        for net, count in enumerate(ours)
        if net != netlist.clock and int(theirs[str(net)]) != count
    }
    assert not different
    assert simulator.timed_toggles.sum() > simulator.settled_toggles.sum()
