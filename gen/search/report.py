"""What a search found, as plain data and as a plot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.progress import Progress

from gen.search.accuracy import rights
from gen.search.choice import Choice
from gen.search.costs import AREA, CYCLES, ENERGY, Costs
from gen.search.layers import Layers
from gen.search.numbers import Numbers
from gen.search.search import Found, Point
from golden.accelerator.shape import SUM_BITS
from networks.evaluation.images import Images
from networks.evaluation.model import Model
from networks.methods.rights import change, error
from support.plots import new_figure, svg_text

Row = dict[str, Any]


def search_report(
    model: Model,
    found: Found,
    numbers: Sequence[Numbers],
    costs: Costs,
    cost: str,
    images: Images,
    progress: Progress,
    scheduler: str | None = None,
) -> Row:
    """All uniform choices, the front with its accuracies on ``images``, and its accumulators.

    ``difference`` is that of top-1 from the network at 8 bits with the widest weights; ``gain``
    that from ``uniform_choice``, the uniform choice of the least loss that costs no more.
    """
    widest = max(each.weight_bits for each in numbers)
    exact = next(each for each in numbers if each.weight_bits == widest)
    machine = found.points[0].choice.machine
    reference = Choice(machine, exact, Layers())
    uniform = [point for point in found.points if point.choice.uniform]
    rivals = [_best_uniform(point, uniform) for point in found.front]
    chosen = [point.choice for point in found.front]
    compared = [reference, *chosen, *(rival.choice for rival in rivals)]
    base, *others = rights(model, images, compared, progress, scheduler)
    front = []
    for point, rival, own, of_rival in zip(
        found.front, rivals, others, others[len(chosen) :], strict=False
    ):
        front.append(
            {
                **point_row(point),
                "acc_bits": point.choice.acc_bits,
                "cycles": costs.cycles([point.choice])[0],
                "area": costs.of(AREA, [point.choice])[0],
                "meets_target": costs.meets_target(point.choice.machine, point.choice.acc_bits),
                **({ENERGY: point.cost} if cost == ENERGY else {}),
                "top1": float(own.mean()),
                "standard_error": error(own),
                **change("difference", own, base),
                "uniform_choice": point_row(rival),
                **change("gain", own, of_rival),
            }
        )
    return {
        "model": model.name,
        "unit": costs.unit,
        "cost": cost,
        "images": len(images),
        "reference": {"weight_bits": widest, "method": exact.method, "top1": float(base.mean())},
        "choices": len(found.points),
        "evaluations": sum(each.evaluations for each in numbers),
        "front": front,
        "uniform": [point_row(point) for point in uniform],
        "accumulators": _accumulators(chosen, costs),
    }


def point_row(point: Point) -> Row:
    """What is chosen, what it costs, and its loss."""
    choice = point.choice
    return {
        "element": choice.machine.element.label,
        "weight_bits": choice.machine.weight_bits,
        "rows": choice.machine.rows,
        "cols": choice.machine.cols,
        "method": choice.numbers.method,
        "channel_order": choice.numbers.channel_order,
        "windowed": len(choice.windowed),
        "free": len(choice.numbers.free),
        "uniform": choice.uniform,
        "cost": point.cost,
        "loss": point.loss,
    }


def _best_uniform(point: Point, uniform: Sequence[Point]) -> Point:
    """Of the ``uniform`` points that cost no more the one of the least loss, and of these the
    cheapest; the point itself where there is none.
    """
    cheap = [other for other in uniform if other.cost <= point.cost]
    return min(cheap, key=lambda other: (other.loss, other.cost), default=point)


def _accumulators(choices: Sequence[Choice], costs: Costs) -> list[Row]:
    """Of each array among ``choices``, what its accumulators save."""
    machines = dict.fromkeys((choice.machine, choice.acc_bits) for choice in choices)
    narrow = costs.areas([*machines])
    wide = costs.areas([(machine, SUM_BITS) for machine, _ in machines])
    return [
        {
            "element": machine.element.label,
            "weight_bits": machine.weight_bits,
            "rows": machine.rows,
            "cols": machine.cols,
            "acc_bits": bits,
            "area": own,
            f"area_{SUM_BITS}": other,
        }
        for (machine, bits), own, other in zip(machines, narrow, wide, strict=True)
    ]


def search_plot(result: Mapping[str, Any]) -> str:
    """The uniform choices by element and width of weights, and the front, as SVG."""
    figure = new_figure(8, 5)
    axes = figure.subplots()
    kinds: dict[str, list[Row]] = {}
    for row in result["uniform"]:
        kinds.setdefault(f"{row['element']} W{row['weight_bits']}", []).append(row)
    for name, rows in kinds.items():
        axes.scatter(*_places(rows), s=18, label=name)
    axes.plot(*_places(result["front"]), "k.-", linewidth=1, drawstyle="steps-post", label="front")
    axes.set_xscale("log")
    axes.set_yscale("log" if min(row["loss"] for row in result["uniform"]) > 0 else "linear")
    unit = "" if result["cost"] == CYCLES else f", {result['cost_unit']}"
    axes.set_xlabel(f"{result['cost']}{unit}")
    axes.set_ylabel(f"{result['objective']} on {result['calibration_images']} images")
    axes.set_title(f"{result['model']}: uniform choices, and what the search adds")
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")
    return svg_text(figure)


def _places(rows: Sequence[Row]) -> tuple[list[float], list[float]]:
    return [row["cost"] for row in rows], [row["loss"] for row in rows]
