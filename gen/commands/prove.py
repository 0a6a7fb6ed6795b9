"""``sparq prove``: proofs of the emitted Verilog, for all inputs."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
from rich.progress import Progress
from rich.table import Table

from gen.commands.terminal import (
    Integer,
    json_option,
    print_tables,
    progress_bar,
    table,
    write_json,
)
from gen.design.configuration import check_choice, check_integer
from gen.proof import cache, solver
from gen.proof.element import StepJob
from gen.proof.job import Job
from gen.proof.table import all_jobs
from gen.proof.verdict import ProofError, Verdict
from gen.tools.verilator import cpp_compiler
from support.files import make_folder
from support.tasks import run_tasks

FOLDER = Path("build/prove")
TIMEOUT = 600


@dataclass(frozen=True)
class Outcome:
    """A job and how it ended.

    ``seconds`` are those of the proof, also where it was ``cached``; ``outdated`` says that the
    cache had it from another version.
    """

    property: str
    configuration: str
    method: str
    depth: str
    proved: bool
    seconds: float
    cached: bool = False
    outdated: bool = False
    reason: str = ""
    waveform: str | None = None


def select(
    properties: Sequence[str], configurations: Sequence[str], quick: bool = False
) -> list[Job]:
    """The jobs of the given names, of all where none is given.

    Raises ``ConfigurationError`` for a name that no job has, or if no job has both.
    """
    jobs = all_jobs()
    for name in properties:
        check_choice("property", name, list(dict.fromkeys(job.property_name for job in jobs)))
    if properties:
        jobs = [job for job in jobs if job.property_name in properties]
    for name in configurations:
        check_choice("configuration", name, list(dict.fromkeys(job.configuration for job in jobs)))
    if configurations:
        jobs = [job for job in jobs if job.configuration in configurations]
    return [job for job in jobs if job.quick] if quick else jobs


def run_job(job: Job, timeout: float, folder: Path, programs: str) -> Outcome:
    """Prove one job, unless ``folder`` has its proof."""
    kept = folder / f"{job.name}.json"
    known = (job.property_name, job.configuration, job.method, job.depth)
    start = time.monotonic()
    outdated = False
    try:
        rtl = job.rtl()
        key = cache.key(job, rtl)
        entry = cache.read(kept)
        outdated = kept.exists() and entry.get("programs") != programs
        if entry.get("programs") == programs and entry.get("key") == key:
            return Outcome(*known, True, entry["seconds"], cached=True)
        verdict = job.prove(rtl, timeout, folder / f"{job.name}.vcd")
    except ProofError as error:
        verdict = Verdict(False, str(error))
    seconds = round(time.monotonic() - start, 2)
    if verdict.proved:
        cache.write(kept, {"programs": programs, "key": key, "seconds": seconds})
    waveform = None if verdict.waveform is None else str(verdict.waveform)
    return Outcome(
        *known,
        *(verdict.proved, seconds),
        outdated=outdated,
        reason=verdict.reason,
        waveform=waveform,
    )


def run_proofs(
    jobs: Sequence[Job], timeout: float, progress: Progress, folder: Path = FOLDER
) -> list[Outcome]:
    """Prove ``jobs`` on all cores; the outcomes in the order of the jobs."""
    make_folder(folder)
    folder = folder.resolve()  # workers may be of an earlier call, from elsewhere
    programs = cache.programs()
    order = {(job.property_name, job.configuration): place for place, job in enumerate(jobs)}
    longest_first = sorted(jobs, key=lambda job: -job.cost)
    with progress:
        task = progress.add_task("proofs", total=len(jobs))
        outcomes = run_tasks(
            run_job,
            [(job, timeout, folder, programs) for job in longest_first],
            on_done=lambda: progress.advance(task),
        )
    return sorted(outcomes, key=lambda outcome: order[outcome.property, outcome.configuration])


def summary(outcomes: Sequence[Outcome]) -> Table:
    """One line for each job."""
    rows = table("Proofs", *("property", "configuration", "method", "depth", "seconds", "proved"))
    for outcome in outcomes:
        seconds = f"{outcome.seconds:.1f}" + (" (cached)" if outcome.cached else "")
        shown = (outcome.property, outcome.configuration, outcome.method, outcome.depth)
        rows.add_row(*shown, seconds, "yes" if outcome.proved else "NO")
    return rows


def by_property(jobs: Iterable[Job], outcomes: Sequence[Outcome]) -> Table:
    """One line for each property."""
    says = {job.property_name: job.says for job in jobs}
    rows = table(
        "What is proved",
        *("property", "says", "method", "depth", "configurations", "seconds", "proved"),
        folded="says",
    )
    for name, sentence in says.items():
        own = [outcome for outcome in outcomes if outcome.property == name]
        methods = ", ".join(dict.fromkeys(outcome.method for outcome in own))
        depths = list(dict.fromkeys(outcome.depth for outcome in own))
        rows.add_row(
            *(
                name,
                sentence,
                methods,
                " or ".join([*depths[:2], *(["others"] if len(depths) > 2 else [])]),
                str(len(own)),
            ),
            f"{sum(outcome.seconds for outcome in own):.0f}",
            f"{sum(outcome.proved for outcome in own)}",
        )
    return rows


@click.command()
@click.option(
    "--property", "properties", multiple=True, metavar="NAME", help="This property; repeatable."
)
@click.option(
    "--configuration",
    "configurations",
    multiple=True,
    metavar="NAME",
    help="This configuration; repeatable.",
)
@click.option("--quick", is_flag=True, help="The proofs of the developer loop alone.")
@click.option(
    "--timeout",
    type=Integer(),
    default=TIMEOUT,
    show_default=True,
    metavar="N",
    help="Seconds that a proof may take.",
)
@click.option("--list", "only_list", is_flag=True, help="List the proofs, and make none.")
@json_option
def prove(
    properties: tuple[str, ...],
    configurations: tuple[str, ...],
    quick: bool,
    timeout: object,
    only_list: bool,
    json_file: Path | None,
) -> None:
    """Prove the emitted Verilog for all inputs, on all cores.

    A proof is kept in build/prove until the Verilog, the property or the programs change. A
    property that fails leaves a waveform there.
    """
    seconds = check_integer("timeout", timeout, 1)
    jobs = select(properties, configurations, quick)
    if only_list:
        rows = table("Proofs", "property", "configuration", "method", "depth")
        for job in jobs:
            rows.add_row(job.property_name, job.configuration, job.method, job.depth)
        print_tables(rows)
        return
    solver.version()
    if any(isinstance(job, StepJob) for job in jobs):
        cpp_compiler()
    outcomes = run_proofs(jobs, seconds, progress_bar())
    print_tables(summary(outcomes), by_property(jobs, outcomes))
    if outdated := sum(outcome.outdated for outcome in outcomes):
        click.echo(f"{outdated} results in {FOLDER} are of another version: proved again")
    write_json(json_file, _result(outcomes))
    failed = [outcome for outcome in outcomes if not outcome.proved]
    if failed:
        first = failed[0]
        raise ProofError(
            f"{len(failed)} of {len(outcomes)} not proved; the first is {first.property} of "
            f"{first.configuration}: {first.reason}"
        )


def _result(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    return {
        "proved": sum(outcome.proved for outcome in outcomes),
        "failed": sum(not outcome.proved for outcome in outcomes),
        "proofs": [asdict(outcome) for outcome in outcomes],
    }
