"""The clips of least squared errors, each tensor by itself."""

from rich.progress import Progress

from networks.methods.lp_clips import lp_clips
from networks.methods.problem import Outcome, Problem

SQUARES = 2.0


def least_squares(problem: Problem, progress: Progress) -> Outcome:
    """The clips of :func:`networks.methods.lp_clips.lp_clips` for p = 2."""
    layers = len(problem.objective.integers.graph.matrix_nodes)
    task = progress.add_task("clipping", total=layers + 1)
    clips = lp_clips(problem, [SQUARES], lambda: progress.advance(task))[SQUARES]
    loss, before = problem.objective([clips, problem.calibrated])
    progress.advance(task)
    starts = [{"start": "min-max", "loss": before}, {"start": "p = 2", "loss": loss}]
    return Outcome(clips, loss, starts)
