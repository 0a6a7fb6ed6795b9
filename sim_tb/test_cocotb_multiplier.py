"""Emitted multipliers in a simulator: every product in every format."""

from collections.abc import Callable

from gen.emission import Emission
from golden import NAMED_FORMATS, named_format
from hdl.pe.shift_add_multiplier import ShiftAddMultiplier
from sim_tb.runner import Module, run_bench


def multiplier(name: str) -> Module:
    component = ShiftAddMultiplier(named_format(name))
    module = f"multiplier_{name}"
    verilog = Emission(module).verilog(component)
    ports = [
        {"name": port, "direction": "input", "width": width}
        for port, width in (
            ("x", len(component.x)),
            ("weight", len(component.weight)),
            ("shift_ctrl", len(component.shift_ctrl)),
        )
    ]
    ports.append({"name": "product", "direction": "output", "width": len(component.product)})
    return Module(module, verilog, ports)


def test_multiplier(checks: Callable[[int], None]) -> None:
    names = list(NAMED_FORMATS)
    modules = [multiplier(name) for name in names]
    checks(
        run_bench(modules, "multiplier", seed=0, name="multipliers", parameters={"formats": names})
    )
