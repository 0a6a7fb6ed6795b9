"""What goes on side by side, each by itself until it needs to know what another did, and when."""

from collections.abc import Generator, Sequence
from typing import Any, NamedTuple, TypeVar

Result = TypeVar("Result")


class Times(list[int]):
    """When the same thing happened, again and again, in cycles, as far as it is known."""

    def when(self, index: int) -> "Process[int]":
        """Wait until it is known when it happened for the time ``index``, and give that; 0 for what
        is before the first time.
        """
        if index >= len(self):
            yield Known(self, index + 1)
        return self[index] if index >= 0 else 0


class Known(NamedTuple):
    """What a process waits for: so many of the times."""

    times: Times
    needed: int


Process = Generator[Known | int, None, Result]
"""What runs until it waits: for some times, or with the number of a cycle for that to come."""


def run_processes(processes: Sequence[Process[Any]]) -> None:
    """Run processes until none can go on.

    A cycle comes when everything that follows from earlier ones is known. Of two that wait for the
    same one the first goes on first.
    """
    wanted: list[Known | int | None] = [Known(Times(), 0)] * len(processes)
    while True:
        moves = False
        for index, what in enumerate(wanted):
            if isinstance(what, Known) and len(what.times) >= what.needed:
                wanted[index] = next(processes[index], None)
                moves = True
        if not moves:
            asleep = [(what, index) for index, what in enumerate(wanted) if isinstance(what, int)]
            if not asleep:
                return
            _, index = min(asleep)
            wanted[index] = next(processes[index], None)
