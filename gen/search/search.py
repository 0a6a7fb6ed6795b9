"""The search: uniform choices first, then layer by layer from the best of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from rich.progress import Progress

from gen.search.choice import Choice
from gen.search.costs import AREA, AREA_CYCLES, CYCLES, ENERGY, Costs
from gen.search.greedy import ratio_greedy
from gen.search.layers import Layers
from gen.search.machine import Machine
from gen.search.numbers import Numbers
from support.errors import InputError


class BudgetError(InputError):
    """Nothing costs as little: one line that says what the least is."""


@dataclass(frozen=True)
class Point:
    """A choice with its loss and its cost."""

    choice: Choice
    loss: float
    cost: float

    def dominates(self, other: "Point") -> bool:
        """Whether it is better in one of both, and not worse in the other."""
        return (
            self.loss <= other.loss
            and self.cost <= other.cost
            and (self.loss, self.cost) != (other.loss, other.cost)
        )


@dataclass(frozen=True)
class Found:
    """What a search found.

    ``points`` are all choices that it came by, the uniform ones first, ``front`` those within the
    budget and the limits that no other dominates, from the least cost; the last has the least loss.
    """

    points: Sequence[Point]
    front: Sequence[Point]


def search(
    machines: Sequence[Machine],
    numbers: Sequence[Numbers],
    costs: Costs,
    cost: str,
    budget: float | None,
    limits: Mapping[str, float],
    progress: Progress,
) -> Found:
    """Choices of the least loss on the calibration images for each cost, one of ``COSTS``.

    One array is built: element, widths and sides are chosen once for all layers, and so is the
    method of clips; which layers are windowed is chosen layer by layer, at run time. All uniform
    choices are points, so that for each of them there is one in the front that costs and loses as
    little, or less. From each uniform choice that no other one dominates, layers are taken out of
    windows by :func:`gen.search.greedy.ratio_greedy`. All costs and losses are those of the choice
    itself; what a step costs more, which decides on the order of steps alone, is that of its layer
    where all layers change. Raises :class:`BudgetError` where nothing is within ``budget`` and
    ``limits``.
    """
    bar = progress.add_task("uniform choices", total=len(numbers))
    for each in numbers:
        each.losses([*each.uniform.values()])
        progress.advance(bar)
    uniform = [
        Choice(machine, each, layers, name)
        for machine in machines
        for each in numbers
        if (each.element, each.weight_bits) == (machine.element, machine.weight_bits)
        for name, layers in each.uniform.items()
    ]
    where = "there is"
    for name, most in limits.items():
        values = costs.of(name, uniform)
        if all(value > most for value in values):
            raise BudgetError(
                f"limit of {name} must be at least {min(values):.6g}, the least {where}, not "
                f"{most:.6g}"
            )
        where = "within the other limits"
        uniform = [one for one, value in zip(uniform, values, strict=True) if value <= most]
    points = _points(uniform, costs, cost)
    seeds = _front([point for point in points if budget is None or point.cost <= budget])
    if not seeds:
        least = min(point.cost for point in points)
        where = "within the limits" if limits else "there is"
        raise BudgetError(
            f"budget must be at least {least:.6g}, the least {cost} {where}, not {budget:.6g}"
        )
    walks = [point for point in seeds if point.choice.windowed]
    bar = progress.add_task("layer by layer", total=len(walks))
    for seed in walks:
        points += _walked(seed, costs, cost, budget, limits)
        progress.advance(bar)
    unique: dict[object, Point] = {}
    for point in points:
        unique.setdefault(point.choice.key, point)  # ways can meet
    points = [*unique.values()]
    allowed = [point for point in points if budget is None or point.cost <= budget]
    return Found(points, _front(allowed))


def _points(choices: Sequence[Choice], costs: Costs, cost: str) -> list[Point]:
    """``choices``, all of whose losses are known."""
    losses = [choice.numbers.losses([choice.windowed])[0] for choice in choices]
    values = costs.of(cost, choices)
    return [Point(*each) for each in zip(choices, losses, values, strict=True)]


def _front(points: Sequence[Point]) -> list[Point]:
    """Those that no other dominates, from the least cost; of equal ones the first."""
    front: list[Point] = []
    for point in sorted(points, key=lambda point: (point.cost, point.loss)):
        if not front or point.loss < front[-1].loss:
            front.append(point)
    return front


def _walked(
    seed: Point, costs: Costs, cost: str, budget: float | None, limits: Mapping[str, float]
) -> list[Point]:
    """The points on the way from ``seed``, without it."""
    choice = seed.choice
    rates = _rates(choice, costs, cost)

    def at(windowed: Layers) -> Choice:
        return replace(choice, windowed=windowed, uniform="")

    def within(windowed: Layers) -> bool:
        asked = {**limits, **({} if budget is None else {cost: budget})}
        return all(costs.of(name, [at(windowed)])[0] <= most for name, most in asked.items())

    def steps(windowed: Layers) -> list[tuple[Layers, float]]:
        return [
            (windowed - {name}, rates[name]) for name in choice.numbers.free if name in windowed
        ]

    way = ratio_greedy(choice.windowed, steps, choice.numbers.losses, within)
    return _points([at(windowed) for windowed in way[1:]], costs, cost)


def _rates(choice: Choice, costs: Costs, cost: str) -> dict[str, float]:
    """What each layer costs more without windows, about."""
    free = choice.numbers.free
    if cost == AREA:
        return dict.fromkeys(free, 0.0)
    if cost == ENERGY:
        macs = costs.macs
        return {name: float(macs[name] * (choice.machine.passes - 1)) for name in free}
    assert cost in (CYCLES, AREA_CYCLES)
    every, none = (replace(choice, windowed=layers) for layers in (frozenset(free), Layers()))
    with_windows, without = costs.layer_cycles([every, none])
    return {name: float(without[name] - with_windows[name]) for name in free}
