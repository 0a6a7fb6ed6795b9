"""Making the proofs, on all cores, and keeping them."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from rich.progress import Progress

from gen.design.configuration import ConfigurationError, check_choice
from gen.proof import cache
from gen.proof.job import Job
from gen.proof.table import all_jobs, jobs_of_formats
from gen.proof.verdict import ProofError, Verdict
from support.files import make_folder
from support.tasks import run_tasks

FOLDER = Path("build/prove")
MOST_NAMED = 5
"""Configurations that a refusal names."""


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
    properties: Sequence[str],
    configurations: Sequence[str],
    quick: bool = False,
    formats: Sequence[str] = (),
) -> list[Job]:
    """The jobs of the given names, of all where none is given.

    With ``formats``, of those that depend on a format, of these.

    Raises ``ConfigurationError`` for a name that no job has, or if no job has both.
    """
    jobs = jobs_of_formats(formats) if formats else all_jobs()
    for name in properties:
        check_choice("property", name, list(dict.fromkeys(job.property_name for job in jobs)))
    if properties:
        jobs = [job for job in jobs if job.property_name in properties]
    for name in configurations:
        _check_configuration(name, list(dict.fromkeys(job.configuration for job in jobs)))
    if configurations:
        jobs = [job for job in jobs if job.configuration in configurations]
    return [job for job in jobs if job.quick] if quick else jobs


def _check_configuration(name: str, allowed: Sequence[str]) -> None:
    """Refuse what is none of ``allowed``, which may be hundreds: the line has the most similar."""
    if name in allowed:
        return
    if len(allowed) <= MOST_NAMED:
        check_choice("configuration", name, allowed)
    near = get_close_matches(name, allowed, MOST_NAMED, cutoff=0.4) or allowed[:MOST_NAMED]
    raise ConfigurationError(
        f"configuration must be one of the {len(allowed)} that --list shows, such as "
        f"{', '.join(near)}, not {name!r}"
    )


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
    order = {(job.property_name, job.configuration): place for place, job in enumerate(jobs)}
    longest_first = sorted(jobs, key=lambda job: -job.cost)
    with progress:
        task = progress.add_task("proofs", total=len(jobs))
        outcomes = run_tasks(
            run_job,
            [(job, timeout, folder, cache.programs(job.compiled)) for job in longest_first],
            on_done=lambda: progress.advance(task),
        )
    return sorted(outcomes, key=lambda outcome: order[outcome.property, outcome.configuration])
