"""Loss-aware post-training quantization (Nahshan et al., 2021), on the integers of the hardware."""

from dataclasses import dataclass

from rich.progress import Progress

from networks.methods.coordinate_search import coordinate_search
from networks.methods.coordinates import all_weights, coordinates_of
from networks.methods.lp_clips import lp_clips
from networks.methods.powell_search import powell_search
from networks.methods.powers import PARTS
from networks.methods.problem import Outcome, Problem
from networks.methods.quadratic import least_of_parabola

GRID, POWELL = "grid", "powell"
SEARCHES = (GRID, POWELL)
EXPONENTS = (2.0, 2.5, 3.0, 3.5, 4.0)


@dataclass(frozen=True)
class Lapq:
    """Clips of least L_p norm, p by a parabola through the losses; then a joint search.

    The search starts from whatever loss is least: of the calibrated ranges, of each p in
    ``EXPONENTS``, and of the p where a parabola through those is least, where that is one. So the
    loss never ends above that of calibration. The clips that were not started from are tried again
    in it, one by one. With ``POWELL`` that is
    :func:`networks.methods.powell_search.powell_search` in place of it. ``passes`` are those of
    :func:`networks.methods.coordinate_search.coordinate_search`.
    """

    passes: int = 2
    search: str = GRID

    def __call__(self, problem: Problem, progress: Progress) -> Outcome:
        """The clips, and how they were found."""
        objective = problem.objective
        graph = objective.integers.graph
        layers = len(graph.matrix_nodes)
        task = progress.add_task("clipping", total=2 * layers + 2)
        made = lp_clips(problem, EXPONENTS, lambda: progress.advance(task))
        candidates = {"min-max": all_weights(graph, problem.calibrated)}
        candidates |= {f"p = {p:g}": clips for p, clips in made.items()}
        losses = objective(list(candidates.values()))
        progress.advance(task)
        lowest = least_of_parabola(list(zip(EXPONENTS, losses[1:], strict=True)))
        exponent = None if lowest is None else round(lowest * PARTS) / PARTS
        if exponent is not None and exponent not in EXPONENTS:
            fitted = lp_clips(problem, [exponent], lambda: progress.advance(task))[exponent]
            candidates[f"p = {exponent:g}"] = fitted
            losses += objective([fitted])
        progress.update(task, completed=2 * layers + 2)
        names = list(candidates)
        best = losses.index(min(losses))
        start, loss = candidates[names[best]], losses[best]
        coordinates = coordinates_of(graph, objective.integers.network(start))
        if self.search == POWELL:
            task = progress.add_task("searching", total=None)
            clips, trace = powell_search(
                *(objective, start, loss, coordinates, self.passes), lambda: progress.advance(task)
            )
            progress.update(task, total=len(trace), completed=len(trace))
        else:
            task = progress.add_task("searching", total=self.passes * len(coordinates))
            clips, trace = coordinate_search(
                *(objective, start, loss, coordinates, list(candidates.values()), self.passes),
                lambda: progress.advance(task),
            )
        return Outcome(
            clips,
            trace[-1] if trace else loss,
            [{"start": name, "loss": own} for name, own in zip(names, losses, strict=True)],
            [loss, *trace],
            {
                "start": names[best],
                "parabola": lowest,
                "coordinates": [coordinate.name for coordinate in coordinates],
                "search": self.search,
                "passes": self.passes,
            },
        )
