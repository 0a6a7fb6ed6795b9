"""What a method found, with channels in an order that loses less."""

from dataclasses import replace

import numpy as np
from rich.progress import Progress

from networks.methods.problem import Outcome, Problem
from networks.quantization.arithmetic import Windows
from networks.quantization.shared_order import Orders, shared_orders


def with_orders(problem: Problem, outcome: Outcome, orders: Orders) -> Outcome:
    """``outcome`` with channels in ``orders``, and its loss."""
    clips = replace(outcome.clips, orders=orders)
    (loss,) = problem.objective([clips])
    told = {"layers": len(orders), "natural_loss": outcome.loss, "loss": loss}
    decided = {**outcome.decided, "shared_order": told}
    return replace(outcome, clips=clips, loss=loss, decided=decided)


def orders_of(problem: Problem, outcome: Outcome, windows: Windows, progress: Progress) -> Orders:
    """Those of :func:`networks.quantization.shared_order.shared_orders`.

    They are chosen on the images of ``problem``, for its network of ``outcome`` in ``windows``.
    """
    objective = problem.objective
    network = objective.integers.network(outcome.clips)
    images = np.concatenate(objective.batches)
    return shared_orders(network, windows, images, objective.scheduler, progress)


def with_shared_orders(
    problem: Problem, outcome: Outcome, windows: Windows, progress: Progress
) -> Outcome:
    """``outcome`` with its :func:`orders_of`."""
    return with_orders(problem, outcome, orders_of(problem, outcome, windows, progress))
