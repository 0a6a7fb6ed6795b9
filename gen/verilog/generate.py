"""A configuration's Verilog and its sidecar."""

import json
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from amaranth.hdl import Shape
from amaranth.lib import wiring

from gen.design.configuration import MACHINES, Configuration
from gen.verilog.emission import CLOCK_AND_RESET, Emission
from hdl import (
    PairEncoder,
    SparseTensorCore,
    SystolicArray,
    TensorCore,
    dot_product_unit,
    processing_element,
)
from support.files import make_folder, write_if_changed

NAMES = "pairs weight_bits acc_bits pipeline format rounding vsparq group pe"
"""Fields of the configuration that a sidecar repeats."""
CODES = ("activation_code_bits", "weight_code_bits", "row_scale", "column_scale")
"""What a sidecar says of the multiplier of a processing element that is placed by itself."""


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
    fmt = configuration.sparq_format if configuration.pe == "sparq" else None
    widths = (configuration.weight_bits, configuration.acc_bits, configuration.pipeline)
    if configuration.top in ("array", "pe"):
        pe = processing_element(configuration.pe, fmt, *widths)
        if configuration.top == "pe":
            return pe
        return SystolicArray(configuration.rows, configuration.cols, pe)
    sparse = configuration.is_sparse
    unit = dot_product_unit(configuration.pe, configuration.pairs, fmt, *widths, sparse)
    core = SparseTensorCore if sparse else TensorCore
    return core(configuration.rows, configuration.cols, unit)


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
    is_machine = configuration.top in MACHINES
    latency = 0 if configuration.top == "encoder" else component.latency
    return {
        "top": configuration.name,
        "rows": configuration.rows if is_machine else 1,
        "cols": configuration.cols if is_machine else 1,
        "k_per_cycle": 2 if configuration.top == "encoder" else component.k_per_cycle,
        "sparse": configuration.is_sparse,
        **{name: configuration.canonical[name] for name in NAMES.split()},
        **{
            name: getattr(component.multiplier, name) if configuration.top == "pe" else None
            for name in CODES
        },
        "latency": latency,
        "drain_cycles": component.drain_cycles if is_machine else None,
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
