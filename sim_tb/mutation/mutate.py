"""``make mutate``: what part of changed components the project's own benches notice."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
from rich.progress import Progress

from gen.commands.options import IntegerRange, json_option, write_json
from gen.commands.terminal import print_tables, progress_bar, table
from gen.design.configuration import ConfigurationError
from sim_tb.mutation.mutants import COMPONENTS, FOLDER, Mutation
from support.files import OutputError, write_if_changed
from support.signals import Endings
from support.tasks import run_tasks

MUTANTS = 200
BAD_ARGUMENT, FAILED = 2, 1


class CoverageError(Exception):
    """Too many mutants survive, or the tests fail without a mutation: one line that says where."""


@dataclass(frozen=True)
class Coverage:
    """How the mutants of a component ended; those that are equivalent to it do not count."""

    component: str
    aim: float
    killed: int
    equivalent: int
    survivors: list[Mutation]

    @property
    def part(self) -> float:
        """Killed mutants of those that could be."""
        return self.killed / max(1, self.killed + len(self.survivors))


def measure(names: Sequence[str], count: int, seed: int, progress: Progress) -> Iterator[Coverage]:
    """Mutate components on all cores, one after the other.

    Raises :class:`CoverageError` if tests fail by themselves.
    """

    def everywhere(what: str, function: Any, tasks: Sequence[tuple[Any, ...]]) -> list[Any]:
        task = progress.add_task(what, total=len(tasks))
        done = run_tasks(function, tasks, on_done=lambda: progress.advance(task))
        progress.remove_task(task)
        return done

    with progress:
        prepared = everywhere("building", _prepare, [(name, count, seed) for name in names])
        whole = everywhere("without mutation", _is_noticed, [(name, 0) for name in names])
        for name, fails in zip(names, whole, strict=True):
            if fails:
                raise CoverageError(f"the tests of {name} fail without a mutation")
        components = progress.add_task("components", total=len(names))
        for name, mutations in zip(names, prepared, strict=True):
            noticed = everywhere(name, _is_noticed, [(name, m.number) for m in mutations])
            left = [m for m, killed in zip(mutations, noticed, strict=True) if not killed]
            equal = everywhere(
                f"{name}: survivors", _is_equivalent, [(name, m.number) for m in left]
            )
            progress.advance(components)
            yield Coverage(
                name,
                COMPONENTS[name].aim,
                killed=sum(noticed),
                equivalent=sum(equal),
                survivors=[m for m, same in zip(left, equal, strict=True) if not same],
            )


def _prepare(name: str, count: int, seed: int) -> list[Mutation]:
    return COMPONENTS[name].prepare(count, seed)


def _is_noticed(name: str, number: int) -> bool:
    return COMPONENTS[name].is_noticed(number)


def _is_equivalent(name: str, number: int) -> bool:
    return COMPONENTS[name].is_equivalent(number)


@click.command()
@click.option(
    "--component",
    "names",
    type=click.Choice(list(COMPONENTS)),
    multiple=True,
    metavar="NAME",
    help="This one; repeatable.",
)
@click.option(
    "--mutants", type=IntegerRange(1, 10_000), default=MUTANTS, show_default=True, metavar="N"
)
@click.option("--seed", type=IntegerRange(0), default=1, show_default=True, metavar="N")
@json_option
def mutate(names: tuple[str, ...], mutants: int, seed: int, json_file: Path | None) -> None:
    """Change one gate or wire of a component at a time; the project's tests should notice.

    Mutants that are proved equivalent do not count. Fails if too many others survive.
    """
    progress = progress_bar()
    found = []
    for coverage in measure(names or list(COMPONENTS), mutants, seed, progress):
        found.append(coverage)
        # A run takes long: what is found is there at once.
        write_if_changed(FOLDER / "report.md", _report(found, mutants, seed))
        progress.console.print(f"{coverage.component}: {100 * coverage.part:.1f} %")
    for coverage in found:
        for survivor in coverage.survivors:
            click.echo(f"{coverage.component}: survived: {survivor}")
    rows = table(f"Mutation coverage, seed {seed}", *HEADINGS)
    for coverage in found:
        rows.add_row(*_cells(coverage))
    print_tables(rows)
    write_json(json_file, [asdict(coverage) | {"coverage": coverage.part} for coverage in found])
    low = [coverage for coverage in found if coverage.part < coverage.aim]
    if low:
        raise CoverageError(
            f"{low[0].component}: {100 * low[0].part:.1f} % of its mutants are noticed, "
            f"and {100 * low[0].aim:g} % should be"
        )


HEADINGS = ("component", "mutants", "killed", "equivalent", "survived", "coverage %", "aim %")


def _cells(coverage: Coverage) -> list[str]:
    survived = len(coverage.survivors)
    total = coverage.killed + coverage.equivalent + survived
    numbers = (total, coverage.killed, coverage.equivalent, survived)
    percent = (f"{100 * coverage.part:.1f}", f"{100 * coverage.aim:g}")
    return [coverage.component, *map(str, numbers), *percent]


def _report(found: Sequence[Coverage], count: int, seed: int) -> str:
    lines = [f"# Mutation coverage: {count} mutants of each component, seed {seed}", ""]
    lines += [f"| {' | '.join(HEADINGS)} |", "|---" * len(HEADINGS) + "|"]
    lines += [f"| {' | '.join(_cells(coverage))} |" for coverage in found]
    survivors = [f"- {c.component}: `{mutation}`" for c in found for mutation in c.survivors]
    return "\n".join([*lines, "", *survivors]) + "\n"


def main() -> None:
    """Run the command: exit 0 on success, 2 on a bad argument, 1 if a coverage is too low."""
    endings = Endings("mutate")
    with endings.within():
        endings.by_exception()
        try:
            mutate.main(prog_name="mutate", standalone_mode=False)
        except click.ClickException as error:
            _fail(error.format_message(), BAD_ARGUMENT)
        except (ConfigurationError, OutputError) as error:
            _fail(str(error), BAD_ARGUMENT)
        except CoverageError as error:
            _fail(str(error), FAILED)


def _fail(message: str, status: int) -> None:
    click.echo(f"mutate: {message}", err=True)
    sys.exit(status)


if __name__ == "__main__":
    main()
