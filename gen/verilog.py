"""A configuration's Verilog and its sidecar."""

import json
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from amaranth.hdl import Shape
from amaranth.lib import wiring

from gen.configuration import Configuration
from gen.emission import CLOCK_AND_RESET, Emission
from gen.files import make_folder, write_if_changed
from hdl import PairEncoder, SystolicArray, processing_element


@dataclass(frozen=True)
class Generated:
    """One design: its Verilog text and its sidecar."""

    configuration: Configuration
    verilog: str
    sidecar: dict[str, Any]

    @property
    def name(self) -> str:
        """Name of the top module and, without their suffixes, of the files."""
        return self.configuration.name


def build(configuration: Configuration) -> wiring.Component:
    """The Amaranth component that the configuration describes."""
    if configuration.top == "encoder":
        return PairEncoder(configuration.sparq_format)
    pe = processing_element(
        configuration.pe,
        configuration.sparq_format if configuration.pe == "sparq" else None,
        configuration.weight_bits,
        configuration.acc_bits,
    )
    if configuration.top == "pe":
        return pe
    return SystolicArray(configuration.rows, configuration.cols, pe)


def generate(configuration: Configuration) -> Generated:
    """Verilog and sidecar of ``configuration``: the same bytes wherever and whenever."""
    component = build(configuration)
    sidecar = _sidecar(configuration, component)
    tools = sidecar["tools"]
    header = (
        f"// {configuration.name}\n"
        f"// sparq {tools['sparq']}, amaranth {tools['amaranth']}, pyosys {tools['pyosys']}\n"
        f"// configuration {configuration.hash}: {json.dumps(configuration.canonical)}\n\n"
    )
    return Generated(
        configuration, header + Emission(configuration.name).verilog(component), sidecar
    )


def write_verilog(configuration: Configuration, folder: Path) -> list[Path]:
    """Write ``NAME.v`` and ``NAME.json`` into ``folder``; returns their paths.

    Files that already have this content are left alone. Raises ``OutputError``.
    """
    make_folder(folder)
    generated = generate(configuration)
    verilog, sidecar = folder / f"{generated.name}.v", folder / f"{generated.name}.json"
    write_if_changed(verilog, generated.verilog)
    write_if_changed(sidecar, json.dumps(generated.sidecar, indent=2) + "\n")
    return [verilog, sidecar]


def _sidecar(configuration: Configuration, component: Any) -> dict[str, Any]:
    is_array = configuration.top == "array"
    latency = 0 if configuration.top == "encoder" else component.latency
    return {
        "top": configuration.name,
        "rows": configuration.rows if is_array else 1,
        "cols": configuration.cols if is_array else 1,
        "k_per_cycle": 2 if configuration.top == "encoder" else component.k_per_cycle,
        **{
            name: configuration.canonical[name]
            for name in ("weight_bits", "acc_bits", "format", "rounding", "vsparq", "group", "pe")
        },
        "latency": latency,
        "drain_cycles": component.drain_cycles if is_array else None,
        "max_reduction": None if configuration.top == "encoder" else configuration.max_reduction,
        "files": [f"{configuration.name}.v"],
        "ports": _ports(component),
        "configuration": configuration.canonical,
        "hash": configuration.hash,
        "tools": {name: version(name) for name in ("sparq", "amaranth", "pyosys")},
    }


def _ports(component: wiring.Component) -> list[dict[str, Any]]:
    """Clock and reset, and the ports of the component's signature in its order."""
    ports = [
        {"name": name, "direction": "input", "width": 1, "signed": False}
        for name in CLOCK_AND_RESET
    ]
    for path, member, _ in component.signature.flatten(component):
        shape = Shape.cast(member.shape)
        ports.append(
            {
                "name": "__".join(path),
                "direction": "input" if member.flow == wiring.In else "output",
                "width": shape.width,
                "signed": shape.signed,
            }
        )
    return ports
