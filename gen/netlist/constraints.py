"""The constraints under which a netlist is timed, for other tools: as SDC."""

from collections.abc import Sequence

from gen.library.library import Library
from gen.netlist.timing import INPUT_SLEW_PS, WIRE_LOAD_FF, smallest_flip_flop

CLOCK = "clk"


def constraints(
    inputs: Sequence[str], outputs: Sequence[str], library: Library, period_ps: float
) -> str:
    """SDC for a netlist of those ports and the clock ``clk``, in the units of its library.

    They are what ``critical_path`` assumes: an ideal clock; inputs from a flip-flop of the same
    clock, outputs into one. Loads of wires are not in them: ``critical_path`` adds 2 fF for each
    sink, a tool that places has its own.
    """
    neighbour = smallest_flip_flop(library)
    flip_flop = neighbour.flip_flop
    assert flip_flop is not None
    # Tools add what the load takes the driving cell to what it takes without one.
    unloaded = max(
        table.at(0.0, INPUT_SLEW_PS)
        for arc in neighbour.arcs
        if arc.sink == flip_flop.output
        for table in (arc.cell_rise, arc.cell_fall)
    )
    load = neighbour.pins[flip_flop.data].capacitance + WIRE_LOAD_FF

    def time(ps: float) -> str:
        return f"{ps / library.time_unit:.6g}"

    driven, loaded = " ".join(inputs), " ".join(outputs)
    driver = f"-lib_cell {neighbour.name} -from_pin {flip_flop.clock} -pin {flip_flop.output}"
    return f"""\
# Ports come from and lead to a flip-flop of the same clock; units are those of {library.name}.
create_clock -name {CLOCK} -period {time(period_ps)} [get_ports {CLOCK}]
set_clock_transition {time(INPUT_SLEW_PS)} [get_clocks {CLOCK}]
set_input_delay {time(unloaded)} -clock {CLOCK} [get_ports {{{driven}}}]
set_driving_cell {driver} [get_ports {{{driven}}}]
set_output_delay 0 -clock {CLOCK} [get_ports {{{loaded}}}]
set_load {load / library.capacitance_unit:.6g} [get_ports {{{loaded}}}]
"""
