"""Timing calls side by side."""

import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any


def seconds_in_turn(
    calls: Mapping[str, Callable[[], Any]],
    rounds: int,
    on_round: Callable[[], None],
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, float]:
    """Median seconds of each call, the first round left out; ``on_round`` is called after each.

    Each is taken in turn with the others, so that all meet the same machine; ``clock`` counts the
    seconds.
    """
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            start = clock()
            call()
            times[name].append(clock() - start)
        on_round()
    return {name: statistics.median(values[1:]) for name, values in times.items()}
