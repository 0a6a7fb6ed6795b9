"""``sparq prove``: proofs of the emitted Verilog, for all inputs."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from gen.commands.options import (
    Format,
    IntegerRange,
    json_option,
    keep_option,
    keep_result,
    refuse_without_effect,
    write_json,
)
from gen.commands.terminal import print_tables, progress_bar, table
from gen.proof import solver
from gen.proof.job import Job
from gen.proof.run import FOLDER, Outcome, run_proofs, select
from gen.proof.verdict import ProofError
from golden.named import ANY_FORMAT_HELP
from support.cpp import cpp_compiler

TIMEOUT = 600


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
@click.option(
    "--format",
    "formats",
    type=Format(),
    multiple=True,
    metavar="NAME",
    help=f"What depends on a format, of this one: {ANY_FORMAT_HELP}; repeatable.",
)
@click.option("--quick", is_flag=True, help="The proofs of the developer loop alone.")
@click.option(
    "--timeout",
    type=IntegerRange(1),
    default=TIMEOUT,
    show_default=True,
    metavar="N",
    help="Seconds that a proof may take.",
)
@click.option("--list", "only_list", is_flag=True, help="List the proofs, and make none.")
@json_option
@keep_option
def prove(
    properties: tuple[str, ...],
    configurations: tuple[str, ...],
    formats: tuple[str, ...],
    quick: bool,
    timeout: int,
    only_list: bool,
    json_file: Path | None,
    keep: bool,
) -> None:
    """Prove the emitted Verilog for all inputs, on all cores.

    A proof is kept in build/prove until the Verilog, the property or the programs change. A
    property that fails leaves a waveform there.
    """
    if only_list:
        refuse_without_effect(dict.fromkeys(("timeout", "json_file", "keep"), "beside list"))
    jobs = select(properties, configurations, quick, formats)
    if only_list:
        rows = table("Proofs", "property", "configuration", "method", "depth")
        for job in jobs:
            rows.add_row(job.property_name, job.configuration, job.method, job.depth)
        print_tables(rows)
        return
    solver.version()
    if any(job.compiled for job in jobs):
        cpp_compiler()
    outcomes = run_proofs(jobs, timeout, progress_bar())
    print_tables(summary(outcomes), by_property(jobs, outcomes))
    if outdated := sum(outcome.outdated for outcome in outcomes):
        click.echo(f"{outdated} results in {FOLDER} are of another version: proved again")
    result = _result(jobs, outcomes)
    write_json(json_file, result)
    failed = [outcome for outcome in outcomes if not outcome.proved]
    if failed:
        first = failed[0]
        raise ProofError(
            f"{len(failed)} of {len(outcomes)} not proved; the first is {first.property} of "
            f"{first.configuration}: {first.reason}"
        )
    keep_result(keep, "prove", "prove", result)


def _result(jobs: Sequence[Job], outcomes: Sequence[Outcome]) -> dict[str, Any]:
    says = {job.property_name: job.says for job in jobs}
    return {
        "proved": sum(outcome.proved for outcome in outcomes),
        "failed": sum(not outcome.proved for outcome in outcomes),
        "proofs": [{**asdict(outcome), "says": says[outcome.property]} for outcome in outcomes],
    }
