"""Runs a cocotb bench on emitted Verilog, from a pytest test or by itself."""

import hashlib
import json
import os
import shutil
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from amaranth.hdl import Shape
from amaranth.lib import wiring
from cocotb_tools.runner import Verilator, get_runner

from gen.design.configuration import Configuration
from gen.tools.verilator import LINT_WAIVERS, environment
from gen.tools.verilator_runtime import Runtime
from gen.verilog.emission import Emission
from gen.verilog.generate import generate, write_verilog
from support.cpp import compiler_version
from support.files import locked

BUILD = Path("build/sim_tb")
SIMULATORS = ("verilator", "icarus")
PARAMETERS = "SPARQ_BENCH"
"""Environment variable that names the file of a bench's parameters, as JSON."""
COMPILATION = ("OPT_FAST=-O0", "OPT_SLOW=-O0", "OPT_GLOBAL=-O0", "VM_PARALLEL_BUILDS=0")
"""Compiling takes longer than simulating: all in one go and nothing optimized is the quickest."""


class PortsOnlyVerilator(Verilator):
    """cocotb's runner, which makes every signal public; here the top's are, and the build is fast.

    Recorded waves still have all signals. A simulation that takes longer than ``seconds`` of
    processor time is ended.
    """

    seconds: int | None = None

    def _build_command(self) -> list[Any]:
        first, *others = super()._build_command()
        command = [argument for argument in first if argument != "--public-flat-rw"]
        return [[*command, "--public-depth", "1"], *others]

    def _test_command(self) -> list[Any]:
        commands = super()._test_command()
        if self.seconds is None:
            return commands
        limited = ["sh", "-c", 'ulimit -t "$0"; exec "$@"', str(self.seconds)]
        return [[*limited, *command] for command in commands]


class BuildError(Exception):
    """A simulator cannot build a design: its message."""


@dataclass(frozen=True)
class Build:
    """A design called ``name`` that was built in ``folder``, ready to be simulated there."""

    name: str
    folder: Path
    simulator: str = "verilator"
    waves: bool = False


@dataclass(frozen=True)
class Outcome:
    """How many values a bench compared, and how its tests failed; none if all passed."""

    checks: int
    failures: list[str]


@dataclass(frozen=True)
class Module:
    """A module that a wrapper instantiates; ports as in a sidecar."""

    name: str
    verilog: str
    ports: Sequence[dict[str, Any]]


def wrap(name: str, modules: Sequence[Module], own: Sequence[str] = ()) -> str:
    """Verilog of a module ``name`` around one instance of each of ``modules``.

    Inputs are shared, each module taking the low bits that it has; those named in ``own`` are
    concatenated instead, and so are all outputs, as ``outputs``; the first module is lowest.
    """
    widths = {"clk": 1, "rst": 1}
    outputs = 0
    instances = []
    for module in modules:
        connections = [".clk(clk)", ".rst(rst)"]
        for port in module.ports:
            if port["name"] in ("clk", "rst"):
                continue
            key, width = port["name"], port["width"]
            if port["direction"] == "output":
                wire = f"outputs[{outputs + width - 1}:{outputs}]"
                outputs += width
            else:
                low = widths.get(key, 0) if key in own else 0
                widths[key] = max(widths.get(key, 0), low + width)
                wire = f"{key}[{low + width - 1}:{low}]"
            connections.append(f".{key}({wire})")
        instances.append(f"  {module.name} {module.name}_i ({', '.join(connections)});")
    ports = [f"input [{width - 1}:0] {key}" for key, width in widths.items()]
    ports.append(f"output [{outputs - 1}:0] outputs")
    return "\n".join([f"module {name} ({', '.join(ports)});", *instances, "endmodule", ""])


def run_bench(
    design: Configuration | Module | Sequence[Module],
    bench: str,
    *,
    seed: int,
    name: str = "wrapper",
    own: Sequence[str] = (),
    parameters: dict[str, Any] | None = None,
    testcase: str | None = None,
    simulator: str | None = None,
    netlist: str | None = None,
) -> int:
    """Run the tests of ``sim_tb.rtl.benches.<bench>`` and return how many values they compared.

    ``design`` is a configuration, a module, or some for a wrapper called ``name`` (see
    :func:`wrap`);
    ``netlist`` is Verilog to run in place of what the configuration emits.
    The environment variable ``SIM`` chooses the simulator, ``SEED`` replaces ``seed`` and
    ``WAVES=1`` records waves. A bench that fails makes the pytest test fail with its message and
    the command that runs it again.
    """
    simulator = simulator or os.environ.get("SIM", "verilator")
    require_simulator(simulator)
    seed = int(os.environ.get("SEED", seed))
    waves = os.environ.get("WAVES", "0") not in ("", "0")
    if isinstance(design, Configuration | Module):
        name = design.name
    level = "" if netlist is None else "_gates"
    folder = (BUILD / f"{name}{level}" / (simulator + ("_waves" if waves else ""))).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    built = Build(name, folder, simulator, waves)
    with locked(folder / "lock"):
        sources, sidecar = _write_sources(design, name, own, folder)
        if netlist is not None:
            sources = [folder / "netlist.v"]
            sources[0].write_text(netlist)
        try:
            build(built, sources)
        except BuildError as error:
            pytest.fail(str(error), pytrace=False)

    test_id = os.environ["PYTEST_CURRENT_TEST"].rsplit("::", 1)[-1].split(" ")[0]
    chosen = "" if simulator == "verilator" else f"SIM={simulator} "
    rerun = f'{chosen}SEED={seed} make test-full TESTS="-k {_expression(test_id)}"'
    outcome = simulate(
        built,
        bench,
        folder / f"run_{test_id.replace('/', '_')}",
        seed=seed,
        parameters={"rerun": rerun, "sidecar": str(sidecar), **(parameters or {})},
        testcase=testcase,
    )
    if outcome.failures:
        text = "\n".join(outcome.failures)
        pytest.fail(text if rerun in text else f"{text}\nrerun: {rerun}", pytrace=False)
    print(f"{test_id}: {outcome.checks:,} checks, seed {seed}")
    return outcome.checks


def simulate(
    built: Build,
    bench: str,
    scratch: Path,
    *,
    seed: int,
    parameters: dict[str, Any],
    testcase: str | None = None,
    plusargs: Sequence[str] = (),
    first_failure: bool = False,
    seconds: int | None = None,
) -> Outcome:
    """Run the tests of ``sim_tb.rtl.benches.<bench>`` on a design that is built.

    ``scratch`` is a folder of this run alone. ``first_failure`` ends it at the first test that
    fails; Verilator's ends, failed, after ``seconds`` of processor time.
    """
    scratch.mkdir(exist_ok=True)
    counts, results, log = (scratch / name for name in ("checks.txt", "results.xml", "log.txt"))
    given = scratch / "parameters.json"
    counts.write_text("")
    results.unlink(missing_ok=True)
    given.write_text(json.dumps({"seed": seed, "checks": str(counts)} | parameters))
    # By default cocotb rewrites the assertions of all that is imported, which takes seconds.
    variables = {PARAMETERS: str(given), "COCOTB_REWRITE_ASSERTION_FILES": "*/benches/*.py"}
    if first_failure:
        variables["COCOTB_MAX_FAILURES"] = "1"
    # Whatever it raises: the results say more.
    with patch.dict(os.environ, _environment()), suppress(RuntimeError, SystemExit):
        _runner(built.simulator, seconds).test(
            test_module=f"sim_tb.rtl.benches.{bench}",
            hdl_toplevel=built.name,
            hdl_toplevel_lang="verilog",
            testcase=testcase,
            seed=seed,
            build_dir=built.folder,
            test_dir=scratch,
            results_xml=str(results),
            log_file=log,
            extra_env=variables,
            plusargs=plusargs,
            timescale=("1ns", "1ps"),
            waves=built.waves,
        )
    return Outcome(sum(map(int, counts.read_text().split())), _failures(results, log))


def require_simulator(simulator: str) -> None:
    """Fail with one line if the simulator is not installed."""
    if simulator == "icarus" and shutil.which("iverilog") is None:
        pytest.fail(
            "SIM=icarus needs iverilog on PATH: install it (Debian: apt install iverilog; "
            "macOS: brew install icarus-verilog), or leave SIM out to use Verilator",
            pytrace=False,
        )


def _environment(overrides: Sequence[str] = ()) -> dict[str, str]:
    return environment(Path("build/tools"), [*COMPILATION, *overrides])


def _write_sources(
    design: Configuration | Module | Sequence[Module], name: str, own: Sequence[str], folder: Path
) -> tuple[list[Path], Path | None]:
    if isinstance(design, Configuration):
        verilog, sidecar, *_ = write_verilog(design, folder)
        return [verilog], sidecar
    source = folder / f"{name}.v"
    if isinstance(design, Module):
        source.write_text(design.verilog)
    else:
        source.write_text("\n".join([*(m.verilog for m in design), wrap(name, design, own)]))
    return [source], None


def _runner(simulator: str, seconds: int | None = None) -> Any:
    if simulator != "verilator":
        return get_runner(simulator)
    runner = PortsOnlyVerilator()
    runner.seconds = seconds
    return runner


def build(wanted: Build, sources: Sequence[Path]) -> None:
    """Bring a build up to date with its sources; raises :class:`BuildError`."""
    simulator, folder = wanted.simulator, wanted.folder
    arguments = []
    if simulator == "verilator":
        # What is public is not split: bits that depend on others of one signal look circular.
        # Netlists and mutants are written by Yosys, which extends and cuts words without saying so.
        waivers = (*LINT_WAIVERS, "UNOPTFLAT", "WIDTHEXPAND", "WIDTHTRUNC")
        arguments = [f"-Wno-{warning}" for warning in waivers]
    versions = [version("verilator"), version("cocotb"), compiler_version(), str(wanted.waves)]
    digest = hashlib.sha256(repr((arguments, COMPILATION, versions)).encode())
    for source in sources:
        digest.update(source.read_bytes())
    stamp = folder / "built"
    if stamp.exists() and stamp.read_text() == digest.hexdigest():
        return
    kind = hashlib.sha256(repr((COMPILATION, versions)).encode()).hexdigest()[:16]
    runtime = Runtime(BUILD / f"runtime_{kind}")
    lent = runtime.lend(folder) if simulator == "verilator" else []
    log = folder / "build.log"
    try:
        with patch.dict(os.environ, _environment(lent)):
            _runner(simulator).build(
                sources=sources,
                hdl_toplevel=wanted.name,
                build_dir=folder,
                build_args=arguments,
                always=True,
                waves=wanted.waves,
                timescale=("1ns", "1ps"),
                log_file=log,
            )
    except Exception as error:
        text = log.read_text()[-3000:] if log.exists() else ""
        raise BuildError(f"{simulator} cannot build {wanted.name}: {error}\n{text}") from None
    if simulator == "verilator":
        runtime.keep(folder)
    stamp.write_text(digest.hexdigest())


def _failures(results: Path, log: Path) -> list[str]:
    if not results.exists():
        text = log.read_text()[-3000:] if log.exists() else ""
        return [f"the simulation left no results\n{text}"]
    cases = list(ElementTree.parse(results).iter("testcase"))
    failures = [
        f"{case.get('name')}: {problem.get('message') or problem.text}"
        for case in cases
        for problem in [*case.iter("failure"), *case.iter("error")]
    ]
    return failures if cases else ["no test was run"]


def _expression(test_id: str) -> str:
    """The test's name as an expression for ``pytest -k``."""
    function, _, parameter = test_id.partition("[")
    return f"'{function} and {parameter.rstrip(']')}'" if parameter else function


def emitted(name: str, component: wiring.Component) -> Module:
    """A component whose ports are plain, as a module called ``name``."""
    ports = [
        {
            "name": port,
            "direction": "input" if member.flow == wiring.In else "output",
            "width": Shape.cast(member.shape).width,
        }
        for (port,), member, _ in component.signature.flatten(component)
    ]
    return Module(name, Emission(name).verilog(component), ports)


def module_of(configuration: Configuration) -> Module:
    """The emitted top module of ``configuration``."""
    generated = generate(configuration)
    return Module(generated.name, generated.verilog, generated.sidecar["ports"])
