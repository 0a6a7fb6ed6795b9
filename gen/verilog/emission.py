"""Lowering Amaranth to plain Verilog, each distinct component once."""

import gc
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from amaranth.back import rtlil
from amaranth.hdl import ClockSignal, Instance, ResetSignal, Signal
from amaranth.lib import wiring

from gen.tools.yosys import run_yosys

CLOCK_AND_RESET = {"clk": ClockSignal, "rst": ResetSignal}


class Emission:
    """An Amaranth platform under which ``hdl.placement.place`` shares modules.

    Parameters
    ----------
    top : str
        Name of the top module. All others are called ``top`` + ``_`` + their component's
        ``module_name``, so that several emissions can be used in one design.
    """

    def __init__(self, top: str):
        self._top = top
        self._modules: dict[str, str] = {}

    def verilog(self, component: wiring.Component) -> str:
        """Plain Verilog-2005 of ``component`` and all below it.

        Every top module has ``clk`` and ``rst``, a combinational one too, which does not read them.
        """
        with _rare_garbage_collection():
            self._lower(component, self._top)
            if not self._has_input(self._top, "clk"):
                unread = [Signal(name=name) for name in CLOCK_AND_RESET]
                ports = [signal for _, _, signal in component.signature.flatten(component)]
                self._lower(component, self._top, ports=unread + ports)
        return _to_verilog("\n".join(self._modules.values()))

    def instance_of(self, component: wiring.Component, instance_name: str) -> Instance:
        """An instance, wired to the component's own signals, of a module lowered once.

        The signals are renamed after the instance, which tells them apart in the module around it.
        """
        name = f"{self._top}_{component.module_name}"
        # What is only instantiated is never elaborated, which Amaranth would warn about.
        component._MustUse__used = True
        if name not in self._modules:
            self._lower(component, name)
        ports = {}
        for path, member, signal in component.signature.flatten(component):
            direction = "i" if member.flow == wiring.In else "o"
            port = "__".join(path)
            ports[f"{direction}_{port}"] = signal
            signal.name = f"{instance_name}_{port}"
        for port, signal in CLOCK_AND_RESET.items():
            if self._has_input(name, port):
                ports[f"i_{port}"] = signal()
        return Instance(name, **ports)

    def _lower(self, component: wiring.Component, name: str, **kwargs: Any) -> None:
        text = rtlil.convert(component, name=name, platform=self, emit_src=False, **kwargs)
        # Amaranth counts ports from 0, which Yosys takes for "no place" and puts last.
        self._modules[name] = re.sub(
            r"^(  wire .*(?:input|output)) (\d+) ",
            lambda match: f"{match[1]} {int(match[2]) + 1} ",
            text,
            flags=re.MULTILINE,
        )

    def _has_input(self, module: str, port: str) -> bool:
        text = self._modules[module]
        return re.search(rf"^  wire .* input \d+ +\\{port}$", text, re.MULTILINE) is not None


def _to_verilog(modules: str) -> str:
    """Lower RTLIL text to Verilog text with Yosys.

    Processes become multiplexers and flip-flops, so the only ``always`` blocks left are clocked
    ones. (Yosys writes combinational processes as blocks that also watch a dummy register; such a
    block is never evaluated, and reads X for ever, in Icarus while its inputs do not change.)
    """
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "design.il"), Path(folder, "design.v")
        source.write_text(modules)
        run_yosys(
            (
                f"read_rtlil {source}",
                "proc",
                "pmuxtree",
                "opt_expr",
                "opt_merge",
                "opt_clean",
                "opt_dff",  # resets and enables become if (rst) and if (enable)
                "opt_expr -mux_undef",
                "setundef -zero",  # don't-cares that opt_dff left in parts of words
                "opt_expr",
                "opt_clean -purge",
                f"write_verilog -noattr {target}",
            )
        )
        # The first line carries the version of Yosys and of the compiler that built it.
        _, _, text = target.read_text().partition("\n")
    return text.strip() + "\n"


@contextmanager
def _rare_garbage_collection() -> Iterator[None]:
    """Lowering makes millions of small objects that live on: looking for cycles costs a tenth."""
    thresholds = gc.get_threshold()
    gc.set_threshold(100_000, *thresholds[1:])
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
