"""Tables and progress bars on the terminal."""

from collections.abc import Iterable

from rich import box
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from support.text import Grid


def table(title: str, *headings: str, folded: str = "") -> Table:
    """An empty table, its first column to the left and the others to the right.

    On a narrow terminal the column ``folded`` is the one that breaks its lines.
    """
    result = Table(title=title, box=box.SIMPLE_HEAD, padding=(0, 0, 0, 1), pad_edge=False)
    for index, heading in enumerate(headings):
        result.add_column(heading, justify="right" if index else "left", no_wrap=heading != folded)
    return result


def print_tables(*tables: Table) -> None:
    """Print ``tables``, as wide as they are where the output is not a terminal."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=500)
    console.print(*tables)


def print_grids(grids: Iterable[Grid], folded: str = "") -> None:
    """Print tables given as title, headings and rows; ``folded`` as in :func:`table`."""
    printed = []
    for title, headings, rows in grids:
        shown = table(title, *headings, folded=folded)
        for row in rows:
            shown.add_row(*row)
        printed.append(shown)
    print_tables(*printed)


def progress_bar() -> Progress:
    """A progress bar on standard error, so that standard output is the result alone."""
    return Progress(console=Console(stderr=True))
