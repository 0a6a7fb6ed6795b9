"""Options of the commands that measure: libraries, and the clock target."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from gen.commands.options import FilePath, IntegerRange, keep_result
from gen.library.load import load_library
from gen.synthesis.area import FOLDER, TARGET_FO4
from support.files import make_folder


def library_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of commands that measure: libraries, and the clock target."""
    options = (
        click.option(
            "--library",
            "libraries",
            multiple=True,
            metavar="NAME",
            help="generic (embedded), osu018 or osu035; may be repeated. [default: generic]",
        ),
        click.option(
            "--liberty",
            "liberties",
            multiple=True,
            type=FilePath(),
            metavar="FILE",
            help="A Liberty file; may be repeated.",
        ),
        click.option(
            "--target-ps",
            type=IntegerRange(1),
            metavar="PS",
            help=f"Clock target. [default: {TARGET_FO4:.0f} delays of an inverter driving four]",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def loadable(libraries: Sequence[str], liberties: Sequence[Path]) -> list[str | Path]:
    """The libraries that were asked for, each loaded once to see that it can be.

    Raises ``LibraryError``.
    """
    sources: list[str | Path] = [*libraries, *liberties] or ["generic"]
    make_folder(FOLDER)
    for source in sources:
        load_library(source, FOLDER)
    return sources


def keep_measured(
    keep: bool, command: str, sources: Sequence[str | Path], results: Sequence[dict[str, Any]]
) -> None:
    """Keep what ``command`` measured of each source, if that is asked for.

    Results are called as the libraries were: a file may give another name.
    """
    for source, result in zip(sources, results, strict=True):
        name = Path(source).stem
        keep_result(keep, command, f"{command}_{name}", result | {"library": name})
