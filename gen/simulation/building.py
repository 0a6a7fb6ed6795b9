"""Several machines built at a time, and what is being done for each."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from rich.progress import Progress

from gen.design.configuration import Configuration

Machine = TypeVar("Machine")


def build_machines(
    build: Callable[[Configuration, Callable[[str], None]], Machine],
    configurations: Sequence[Configuration],
    progress: Progress,
) -> list[Machine]:
    """What ``build`` makes of each of ``configurations``, all at once.

    It is called with a configuration and a function that it calls with the name of each step, which
    ``progress`` shows.
    """

    def build_one(configuration: Configuration) -> Machine:
        what = f"building the {configuration.pe} {configuration.top}"
        task = progress.add_task(what, total=None)

        def on_step(step: str) -> None:
            progress.update(task, description=f"{what}: {step}")

        machine = build(configuration, on_step)
        progress.update(task, description=what, total=1, completed=1)
        return machine

    with ThreadPoolExecutor(max_workers=len(configurations)) as pool:
        return list(pool.map(build_one, configurations))
