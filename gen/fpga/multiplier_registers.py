"""Registers behind products move into the multipliers, as the vendor's tools have it."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

MULTIPLIER, FLIP_FLOP = "MULT18X18D", "TRELLIS_FF"
OUTPUT_REGISTER = {"REG_OUTPUT_CLK": "CLK0", "REG_OUTPUT_CE": "CE0", "REG_OUTPUT_RST": "RST0"}

Cells = dict[str, dict[str, Any]]


def use_multiplier_registers(module: Mapping[str, Any]) -> int:
    """Give multipliers of a netlist, as Yosys writes JSON, the registers that take their products.

    That Yosys leaves out. A product goes into the multiplier's output register where each of its
    bits is read by one plain flip-flop alone, all of one clock, without enable or reset. Changes
    the ``module``; returns how many flip-flops are gone.
    """
    cells: Cells = module["cells"]
    readers: dict[Any, list[tuple[str, str]]] = defaultdict(list)
    for name, cell in cells.items():
        for pin, bits in cell["connections"].items():
            if cell["port_directions"][pin] == "input":
                for bit in bits:
                    readers[bit].append((name, pin))
    for port in module["ports"].values():
        for bit in port["bits"]:
            readers[bit].append(("", ""))
    gone = 0
    for multiplier in [cell for cell in cells.values() if cell["type"] == MULTIPLIER]:
        pins = multiplier["connections"]
        product = {
            pin: readers[pins[pin][0]]
            for pin in pins
            if pin[0] == "P" and pin[1:].isdigit() and readers[pins[pin][0]]
        }
        registers = {pin: found[0][0] for pin, found in product.items() if len(found) == 1}
        if len(registers) < len(product) or not _are_plain(
            [cells.get(name) for name in registers.values()]
        ):
            continue
        clocks = {cells[name]["connections"]["CLK"][0] for name in registers.values()}
        if len(clocks) != 1:
            continue
        multiplier["parameters"].update(OUTPUT_REGISTER)
        pins |= {"CLK0": [*clocks], "CE0": ["1"], "RST0": ["0"]}
        multiplier["port_directions"].update(dict.fromkeys(("CLK0", "CE0", "RST0"), "input"))
        for pin, name in registers.items():
            pins[pin] = cells.pop(name)["connections"]["Q"]
        gone += len(registers)
    return gone


def _are_plain(registers: list[dict[str, Any] | None]) -> bool:
    """Whether all are flip-flops that take their input in every cycle."""
    return all(
        register is not None
        and register["type"] == FLIP_FLOP
        and register["parameters"]["CEMUX"].strip() == "1"
        and register["connections"].get("LSR", ["0"]) == ["0"]
        for register in registers
    )
