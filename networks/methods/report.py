"""What a method did, as plain data and as a plot."""

from __future__ import annotations

from typing import Any

import numpy as np

from networks.methods.coordinates import all_weights, coordinates_of
from networks.methods.problem import Outcome, Problem
from support.plots import new_figure, svg_text


def method_report(model: str, method: str, problem: Problem, outcome: Outcome) -> dict[str, Any]:
    """Losses, and what clips keep: shares of calibrated ranges and of the largest weights."""
    integers = problem.objective.integers
    before = all_weights(integers.graph, problem.calibrated)
    after = all_weights(integers.graph, outcome.clips)
    rows = []
    for coordinate in coordinates_of(integers.graph, integers.network(before)):
        if coordinate.layer is not None:
            old, new = (np.array(each.weights[coordinate.layer]) for each in (before, after))
        else:
            old, new = (
                np.array([np.ptp(each.ranges[name]) for name in coordinate.values])
                for each in (before, after)
            )
        shares = np.divide(new, old, out=np.ones(len(old)), where=old > 0)
        named = {"least": shares.min(), "mean": shares.mean(), "most": shares.max()}
        rows.append({"of": coordinate.name} | {name: float(x) for name, x in named.items()})
    return {
        "model": model,
        "method": method,
        "format": integers.label,
        "weight_bits": integers.options.weight_bits,
        "objective": problem.objective.kind,
        "images": sum(map(len, problem.objective.batches)),
        "loss": outcome.loss,
        "starts": list(outcome.starts),
        "trace": list(outcome.trace),
        "decided": dict(outcome.decided),
        "clips": rows,
    }


def method_plot(result: dict[str, Any]) -> str:
    """The losses that a method began with, and those of its search, as SVG."""
    starts, trace = result["starts"], result["trace"]
    figure = new_figure(9, 4)
    left, right = figure.subplots(1, 2)
    left.bar(range(len(starts)), [row["loss"] for row in starts])
    left.set_xticks(range(len(starts)), [row["start"] for row in starts], rotation=90)
    left.set_ylabel(f"{result['objective']} on {result['images']} images")
    left.set_title("clips to start from")
    right.plot(range(len(trace)), trace, drawstyle="steps-post")
    right.set_xlabel("clips tried in turn")
    right.set_title("joint search" if trace else "no joint search")
    figure.suptitle(
        f"{result['model']}, {result['method']}, {result['format']}, "
        f"weights of {result['weight_bits']} bits"
    )
    for axes in (left, right):
        axes.grid(axis="y", alpha=0.3)
    return svg_text(figure)
