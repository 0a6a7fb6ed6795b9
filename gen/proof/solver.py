"""What proofs ask Yosys: its SAT solver, and netlists."""

import importlib.metadata
import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gen.proof.verdict import ProofError, Verdict
from gen.tools.yosys import YosysError, run_yosys
from support.errors import ToolError

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
            *("memory_collect", "memory_map"),
            "cd claim",
            "setattr -unset init w:dut.*",  # of memories
            *(f"connect -nounset -set {wire} {inner}" for wire, inner in (probes or {}).items()),
            # Beyond the last word of a memory there is anything.
            "setundef -undriven -anyseq",
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

    All is flattened but full and half adders, which are modules beside it: modules by name. The
    operator ``+`` of an accumulator in behavioral style becomes a chain of full adders.
    """
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "design.v"), Path(folder, "design.json")
        source.write_text(verilog)
        adder, chain = Path(folder, "adder.v"), Path(folder, "chain.v")
        adder.write_text(_FULL_ADDER)
        chain.write_text(_CHAIN)
        commands = [
            f"read_verilog {source}",
            f"hierarchy -check -top {top}",
            "proc",
            "setattr -unset init */w:*",
            "setattr -mod -set keep_hierarchy 1 *_full_adder *_half_adder",
            "flatten",
            f"hierarchy -top {top}",
            "opt_clean",  # so that sums drive the signals that are named
            f"read_verilog {adder}",
            "select -set sums w:accumulator_counted %ci t:$add %i",
            f"techmap -map {chain} @sums",
            *("techmap", "simplemap"),
            "dfflegalize -cell $_DFF_P_ x",
            *("techmap", "simplemap", "opt_clean"),
            f"write_json {target}",
        ]
        _run(commands, timeout)
        return dict(json.loads(target.read_text())["modules"])


_FULL_ADDER = """
module chain_full_adder(input a, b, c, output total, carry);
  assign {carry, total} = {a & b | c & (a ^ b), a ^ b ^ c};
endmodule
"""
_CHAIN = """
(* techmap_celltype = "$add" *)
module chain(A, B, Y);
  parameter A_SIGNED = 0, B_SIGNED = 0, A_WIDTH = 1, B_WIDTH = 1, Y_WIDTH = 1;
  input [A_WIDTH-1:0] A;
  input [B_WIDTH-1:0] B;
  output [Y_WIDTH-1:0] Y;
  wire _TECHMAP_FAIL_ = A_WIDTH != Y_WIDTH || B_WIDTH != Y_WIDTH;
  wire [Y_WIDTH:0] carries;
  assign carries[0] = 1'b0;
  genvar i;
  generate
    for (i = 0; i < Y_WIDTH; i = i + 1)
      chain_full_adder adder (
        .a(A[i]), .b(B[i]), .c(carries[i]), .total(Y[i]), .carry(carries[i + 1]));
  endgenerate
endmodule
"""


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
