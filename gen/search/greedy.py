"""Steps of the most gain for their cost."""

from collections.abc import Callable, Hashable, Sequence
from math import inf
from typing import TypeVar

State = TypeVar("State", bound=Hashable)


def ratio_greedy(
    start: State,
    steps: Callable[[State], Sequence[tuple[State, float]]],
    losses: Callable[[Sequence[State], State], Sequence[float]],
    within: Callable[[State], bool] = lambda state: True,
) -> list[State]:
    """The states on the way from ``start``, which is the first of them.

    ``steps`` of a state are others with what each costs more; ``losses`` are those of states that
    differ little from another one. Each time the step is taken that lowers the loss the most for
    its cost; one that costs nothing comes before all that do, and of equal ones the first. The way
    ends where no step lowers the loss, and before a state that is not ``within``.
    """
    way = [start]
    (loss,) = losses([start], start)
    while offered := steps(way[-1]):
        found = losses([state for state, _ in offered], way[-1])
        best, state, best_loss = (0.0, 0.0), way[-1], loss
        for (other, cost), own in zip(offered, found, strict=True):
            gain = loss - own
            if gain > 0 and (rate := (gain / cost if cost > 0 else inf, gain)) > best:
                best, state, best_loss = rate, other, own
        if state == way[-1] or not within(state):
            break
        way.append(state)
        loss = best_loss
    return way
