"""Emitted Verilog and what drives it, compiled to a library."""

import hashlib
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from gen.tools.verilator import LINT_WAIVERS, environment
from gen.tools.verilator_runtime import Runtime
from support.cpp import compiler_version
from support.errors import ToolError
from support.files import locked, write_if_changed

MACHINE = Path(__file__).with_name("verilated_machine.h")
"""What harnesses of machines with registers include."""

# Half of the program only prepares: optimizing that would take time and gain none. With -O2 for the
# other half an accelerator of 16x16 takes twice as long to build, and runs no faster.
OPTIMIZATION = ("OPT_FAST=-O1", "OPT_SLOW=-O0", "OPT_GLOBAL=-O1")


OnStep = Callable[[str], None]


def simulation_library(
    name: str,
    verilog: str,
    harness: Path,
    element: str | None,
    folder: Path,
    headers: Sequence[Path] = (),
    on_step: OnStep = lambda step: None,
) -> Path:
    """The shared library of this Verilog and what drives it, built unless it is there.

    ``element``: what of the design ``name`` is compiled by itself, if anything; ``headers``: what
    the ``harness`` includes; ``on_step`` is called with the name of each step of a build. Raises
    ``ToolError`` if there is no compiler or it fails.
    """
    build = folder / name
    library = build / "simulation.so"
    source, program, control = (build / each for each in (f"{name}.v", harness.name, "control.vlt"))
    texts = {
        source: verilog,
        program: harness.read_text(encoding="utf-8"),
        **{build / header.name: header.read_text(encoding="utf-8") for header in headers},
        control: f'`verilator_config\nhier_block -module "{name}_{element}"\n' if element else "",
        build / "tools.txt": f"{version('verilator')} {OPTIMIZATION} {compiler_version()}",
    }
    with locked(folder / f"{name}.lock"):
        changed = [write_if_changed(path, text) for path, text in texts.items()]
        if any(changed) or not library.exists():
            library.unlink(missing_ok=True)
            objects = build / "objects"
            shutil.rmtree(objects, ignore_errors=True)
            objects.mkdir()
            kind = "".join(map(str, (texts[build / "tools.txt"], bool(element))))
            runtime = Runtime(folder / f"runtime_{hashlib.sha256(kind.encode()).hexdigest()[:16]}")
            variables = [*OPTIMIZATION, *runtime.lend(objects)]
            options = ["--hierarchical", str(control)]
            if element is None:
                variables.append("VM_PARALLEL_BUILDS=0")
                options = []
            env = environment(folder / "tools", variables)
            # By its path: it starts itself for what it compiles alone.
            command = [str(folder.resolve() / "tools" / "verilator"), "--cc", "--exe", "--build"]
            command += ["-j", "0", "-Mdir", str(objects), "--prefix", "Vtop", "--top-module", name]
            command += ["-O3", "--no-assert", *(f"-Wno-{warning}" for warning in LINT_WAIVERS)]
            command += [
                "-CFLAGS",
                f"-fPIC -I{build.resolve()}",
                "-LDFLAGS",
                "-shared",
                "-o",
                "simulation.so",
            ]
            command += [*options, str(source), str(program.resolve())]
            status, output = _run(command, env, on_step)
            if status:
                log = build / "build.log"
                log.write_text(output, encoding="utf-8")
                raise ToolError(f"building the simulation of {name} failed: see {log}")
            runtime.keep(objects)
            (objects / "simulation.so").replace(library)
    return library


def _run(command: Sequence[str], env: Mapping[str, str], on_step: OnStep) -> tuple[int, str]:
    """Exit status and output of ``command``."""
    lines = []
    with subprocess.Popen(
        command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line)
            step = step_of(line)
            if step is not None:
                on_step(step)
    return process.returncode, "".join(lines)


def step_of(line: str) -> str | None:
    """The step that begins with this command of a build, or None: it is another, or no command."""
    words = line.split()
    if "-o" in words[:-1] and "-shared" in words:
        return "linking"
    if "-o" in words[:-1] and "-c" in words:
        return f"compiling {words[words.index('-o') + 1].removesuffix('.o')}"
    if "-f" in words[1:-1] and words[0].endswith("verilator"):
        return "translating to C++"
    return None
