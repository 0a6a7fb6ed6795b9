"""Loss-aware post-training quantization (Nahshan et al., 2021), on the integers of the hardware."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.progress import Progress

from networks.methods.coordinate_search import coordinate_search
from networks.methods.coordinates import Coordinate, all_weights, coordinates_of
from networks.methods.lp_clips import lp_clips
from networks.methods.powell_search import powell_search
from networks.methods.powers import PARTS
from networks.methods.problem import Outcome, Problem
from networks.methods.quadratic import least_of_parabola
from networks.quantization.clips import Clips

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
        starts, losses, lowest = self._starts(problem, progress)
        names = list(starts)
        best = losses.index(min(losses))
        start = starts[names[best]], losses[best]
        graph = problem.objective.integers.graph
        coordinates = coordinates_of(graph, problem.objective.integers.network(start[0]))
        alternatives = list(starts.values())
        clips, trace = self._searched(problem, start, coordinates, alternatives, progress)
        decided = {
            "start": names[best],
            "parabola": lowest,
            "coordinates": [coordinate.name for coordinate in coordinates],
            "search": self.search,
            "passes": self.passes,
        }
        compared = [{"start": name, "loss": own} for name, own in zip(names, losses, strict=True)]
        trace = [losses[best], *trace]
        return Outcome(clips, trace[-1], compared, trace, decided)

    def _starts(
        self, problem: Problem, progress: Progress
    ) -> tuple[dict[str, Clips], list[float], float | None]:
        """Clips to start from, by name, their losses, and where the parabola is lowest."""
        objective = problem.objective
        graph = objective.integers.graph
        steps = 2 * len(graph.matrix_nodes) + 1
        task = progress.add_task("clipping", total=steps)
        made = lp_clips(problem, EXPONENTS, lambda: progress.advance(task))
        starts = {"min-max": all_weights(graph, problem.calibrated)}
        starts |= {_named(exponent): clips for exponent, clips in made.items()}
        losses = objective(list(starts.values()))
        lowest = least_of_parabola(list(zip(EXPONENTS, losses[1:], strict=True)))
        exponent = None if lowest is None else round(lowest * PARTS) / PARTS
        if exponent is not None and exponent not in EXPONENTS:
            fitted = lp_clips(problem, [exponent], lambda: progress.advance(task))[exponent]
            starts[_named(exponent)] = fitted
            losses += objective([fitted])
        progress.update(task, completed=steps)
        return starts, losses, lowest

    def _searched(
        self,
        problem: Problem,
        start: tuple[Clips, float],
        coordinates: Sequence[Coordinate],
        alternatives: Sequence[Clips],
        progress: Progress,
    ) -> tuple[Clips, list[float]]:
        """The clips that the joint search ends with, and the least losses on its way."""
        grid = self.search == GRID
        task = progress.add_task(
            "searching", total=self.passes * len(coordinates) if grid else None
        )

        def done() -> None:
            progress.advance(task)

        given = (problem.objective, *start, coordinates)
        if grid:
            return coordinate_search(*given, alternatives, self.passes, done)
        found = powell_search(*given, self.passes, done)
        progress.update(task, total=len(found[1]))
        return found


def _named(exponent: float) -> str:
    return f"p = {exponent:g}"
