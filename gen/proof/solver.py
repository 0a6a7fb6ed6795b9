"""What proofs ask Yosys: its SAT solver, and netlists."""

import importlib.metadata
import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gen.proof.verdict import ProofError, Verdict
from gen.tools.verilator import ToolError
from gen.tools.yosys import YosysError, run_yosys

_OVERHEAD = 20
"""Seconds that reading a design may take beside the solver's."""


def version() -> str:
    """The version of the solver; raises ``ToolError`` where there is none."""
    try:
        return importlib.metadata.version("pyosys")
    except importlib.metadata.PackageNotFoundError:
        raise ToolError("no solver: pyosys is not installed; run make setup") from None


def sat(
    rtl: Mapping[str, str],
    statement: str,
    options: str,
    timeout: float,
    waveform: Path,
    probes: Mapping[str, str] | None = None,
) -> Verdict:
    """Prove the assertions of ``statement``, a Verilog module ``claim`` around ``rtl``.

    Registers of ``rtl`` start with any value, those of ``statement`` with their initial ones.
    ``probes`` gives wires of it that show signals inside, each by its wire.
    ``options`` of the command ``sat`` choose bounded proof or induction. A counterexample is left
    in the file ``waveform``.
    """
    waveform.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        commands = []
        for name, text in rtl.items():
            path = Path(folder, f"{name}.v")
            path.write_text(text)
            commands.append(f"read_verilog {path}")
        statement_path = Path(folder, "claim.sv")
        statement_path.write_text(statement)
        trace = Path(folder, "trace.vcd")
        commands += [
            "proc",
            "setattr -unset init */w:*",
            f"read_verilog -formal -sv {statement_path}",
            "hierarchy -check -top claim",
            "proc",
            "flatten",
            "cd claim",
            *(f"connect -nounset -set {wire} {inner}" for wire, inner in (probes or {}).items()),
            "check -assert",  # two drivers of a net would contradict each other
            *("chformal -lower", "opt_expr", "opt_merge", "opt_clean -purge"),
            f"sat {options} -set-assumes -prove-asserts -show-ports -show-public "
            f"-dump_vcd {trace} -timeout {max(1, round(timeout))}",
        ]
        log = _run(commands, timeout)
        if "TIMEOUT" in log:
            return Verdict(False, f"not proved within {timeout:g} s")
        if "SUCCESS!" in log and "FAIL!" not in log:
            return Verdict(True)
        if trace.is_file():
            waveform.parent.mkdir(parents=True, exist_ok=True)
            waveform.write_text(trace.read_text())
            # An induction may fail from a state that cannot be reached.
            inductive = "Reached maximum number of time steps" not in log
            what = "counterexample" if inductive else "no induction; where it stops is"
            return Verdict(False, f"{what} in {waveform}", waveform)
    return Verdict(False, "no proof and no counterexample: " + log.strip().splitlines()[-1])


def gates(verilog: str, top: str, timeout: float) -> dict[str, Any]:
    """``top`` of ``verilog`` in single-bit gates and flip-flops, as Yosys writes JSON.

    All is flattened but full and half adders, which are modules beside it: modules by name.
    """
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "design.v"), Path(folder, "design.json")
        source.write_text(verilog)
        commands = [
            f"read_verilog {source}",
            f"hierarchy -check -top {top}",
            "proc",
            "setattr -unset init */w:*",
            "setattr -mod -set keep_hierarchy 1 *_full_adder *_half_adder",
            "flatten",
            f"hierarchy -top {top}",
            *("techmap", "simplemap"),
            "dfflegalize -cell $_DFF_P_ x",
            *("techmap", "simplemap", "opt_clean"),
            f"write_json {target}",
        ]
        _run(commands, timeout)
        return dict(json.loads(target.read_text())["modules"])


def instances(verilog: str, top: str, kept: str, timeout: float) -> dict[str, Any]:
    """``top`` of ``verilog``, flattened but for instances of modules named ``*_kept``."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "design.v"), Path(folder, "design.json")
        source.write_text(verilog)
        commands = [
            f"read_verilog {source}",
            f"hierarchy -check -top {top}",
            *("proc", f"setattr -mod -set keep_hierarchy 1 *_{kept}", "flatten"),
            *(f"cd {top}", "opt_clean", f"write_json -selected {target}"),
        ]
        _run(commands, timeout)
        return dict(json.loads(target.read_text())["modules"][top])


def _run(commands: Sequence[str], timeout: float) -> str:
    """What Yosys logs of ``commands``; ``timeout`` is the solver's. Raises :class:`ProofError`."""
    try:
        return run_yosys(commands, timeout + _OVERHEAD)
    except TimeoutError:
        raise ProofError(f"not proved within {timeout:g} s") from None
    except YosysError as error:
        raise ProofError(f"Yosys failed: {error}") from None
